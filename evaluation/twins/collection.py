"""The committed set: every pair follows from the set's seed, its family and its number.

`python -m evaluation.twins.collection` draws all of it and compares it with the committed hashes;
with `--write` it writes them anew.
"""

from __future__ import annotations

import argparse
import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, Final

import numpy as np

from evaluation.twins.families import FAMILIES, Draft
from evaluation.twins.pairs import Member, Pair

SEED: Final = 20261120
PAIRS: Final = 500  # of each family
FIRST: Final = 20  # of each family, hashed apart: a test draws these
FACTS: Final = Path(__file__).with_name("set.json")
_SCENERY: Final = 40_000_000  # no world that is trained on, played or evaluated has such seeds
_ATTEMPTS: Final = 400


def draw(family: str, number: int) -> Pair:
    """One pair of the set.

    Args:
        family: a key of `FAMILIES`.
        number: 0 to `PAIRS` - 1; odd ones hold combinations that no training shows.
    """
    place, held = list(FAMILIES).index(family), number % 2 == 1
    for attempt in range(_ATTEMPTS):
        rng = np.random.default_rng([SEED, place, number, attempt])
        scenery = _SCENERY + 10_000 * place + number
        draft = FAMILIES[family](rng, number // 2, held, scenery)
        if draft is not None:
            swap = bool(rng.random() < 0.5)
            return _pair(f"{family}-{number:03d}", family, held, draft, swap)
    raise RuntimeError(f"{family} {number}: no pair in {_ATTEMPTS} attempts")


def pairs(families: Sequence[str] = tuple(FAMILIES), limit: int = PAIRS) -> Iterator[Pair]:
    """The first pairs of each family, family after family."""
    for family in families:
        for number in range(min(limit, PAIRS)):
            yield draw(family, number)


def digest(found: Iterable[Pair]) -> str:
    """The SHA-256 of pairs in canonical JSON, one per line."""
    total = hashlib.sha256()
    for pair in found:
        total.update(pair.canonical().encode() + b"\n")
    return total.hexdigest()


def committed() -> dict[str, Any]:
    """The facts about the set that the repository holds."""
    facts: dict[str, Any] = json.loads(FACTS.read_text(encoding="utf-8"))
    return facts


def facts() -> dict[str, Any]:
    """The facts about the set as it is drawn now."""
    hashes = {}
    for family in FAMILIES:
        found = list(pairs([family]))
        hashes[family] = {"first": digest(islice(found, FIRST)), "all": digest(found)}
    return {"seed": SEED, "pairs": PAIRS, "first": FIRST, "sha256": hashes}


def _pair(key: str, family: str, held: bool, draft: Draft, swap: bool) -> Pair:
    order = (1, 0) if swap else (0, 1)
    one, other = (
        Member(role, draft.stretches[n], draft.truths[n])
        for role, n in zip(("shown", "twin"), order, strict=True)
    )
    return Pair(
        key, family, draft.change, draft.twin, held, draft.question, draft.options, (one, other)
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Compare or write the hashes; 1 where they differ."""
    parser = argparse.ArgumentParser("evaluation.twins.collection", description=__doc__)
    parser.add_argument("--write", action="store_true", help="write the hashes")
    options = parser.parse_args(argv)
    now = facts()
    if options.write:
        FACTS.write_text(json.dumps(now, indent=2) + "\n", encoding="utf-8")
    same = now == committed()
    print("the set is as committed" if same else "the set differs from what is committed")
    return 0 if same else 1


if __name__ == "__main__":
    raise SystemExit(main())
