"""What can be measured, by its label in tables: ingest methods and question-time selectors."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, fields, is_dataclass
from typing import Final, TypeAlias

from core.errors import ConfigError
from evaluation.pruning.desk import Desk
from evaluation.pruning.encoding import Encoded
from evaluation.pruning.results import Run
from evaluation.pruning.selecting import choose
from evaluation.pruning.watching import answers, prune
from pruning.policy import PruningPolicy, Spending
from pruning.registry import policies
from pruning.selectors.registry import selectors
from pruning.selectors.selector import Selector

INGEST: Final = "ingest"
QUESTION: Final = "question"
Progress: TypeAlias = Callable[[Iterable[Encoded]], Iterable[Encoded]]


@dataclass(frozen=True, slots=True)
class Method:
    """One line of the tables.

    Args:
        label: unique.
        name: of the method; several settings of one share it.
        moment: `INGEST` or `QUESTION`: when it chooses.
        measure: runs it on scenes at some shares, falling.
    """

    label: str
    name: str
    moment: str
    measure: Callable[[Desk, Iterable[Encoded], Sequence[float]], list[Run]]


def methods(width: int) -> tuple[Method, ...]:
    """All that the two registries hold, in their order.

    Args:
        width: of the model's visual tokens.
    """
    found: dict[str, Method] = {}
    for policy in policies():
        found[policy.label] = Method(policy.label, policy.method, INGEST, _Ingest(policy))
    for selector in selectors(width):
        label = _free(_label(selector), found)
        found[label] = Method(label, selector.method, QUESTION, _AtQuestion(selector))
    return tuple(found.values())


def chosen(known: Sequence[Method], names: Sequence[str], part: tuple[int, int]) -> list[Method]:
    """Those that are named, or all; of these every n-th.

    Args:
        known: what there is.
        names: names, labels or moments; none for all.
        part: (i, n): the i-th of n parts, from 1.

    Raises:
        ConfigError: naming what there is.
    """
    keys = {one: {one.label, one.name, one.moment} for one in known}
    if unknown := set(names) - set().union(*keys.values()):
        allowed = ", ".join(dict.fromkeys(one.name for one in known))
        raise ConfigError(
            f"--methods {', '.join(sorted(unknown))}: unknown; there are: {INGEST}, {QUESTION}, "
            f"{allowed}"
        )
    wanted = [one for one in known if not names or keys[one] & set(names)]
    return wanted[part[0] - 1 :: part[1]]


@dataclass(frozen=True, slots=True)
class _Ingest:
    policy: PruningPolicy

    def __call__(self, desk: Desk, scenes: Iterable[Encoded], shares: Sequence[float]) -> list[Run]:
        counts = [[0, 0] for _ in shares]
        said: list[list[str]] = [[] for _ in shares]
        budgets: list[int] = []
        alike = True
        for encoded in scenes:
            per_step = encoded.tokens // encoded.steps
            budgets = [max(1, round(share * per_step)) for share in shares]
            pruned = [prune(encoded, self.policy, budget) for budget in budgets]
            first = [next(j for j, b in enumerate(pruned) if b.same(a)) for a in pruned]
            distinct = sorted(set(first))  # equal tokens give equal answers
            alike = alike and len(distinct) == 1
            heard = answers(desk, encoded, [pruned[place] for place in distinct])
            for place, one in enumerate(pruned):
                counts[place][0] += one.encoded
                counts[place][1] += one.kept
                said[place] += heard[distinct.index(first[place])]
        if alike and self.policy.spending is Spending.OWN:
            return [Run(None, None, *_pair(counts[0]), tuple(said[0]))]
        return [
            Run(share, budget, *_pair(count), tuple(words))
            for share, budget, count, words in zip(shares, budgets, counts, said, strict=True)
        ]


@dataclass(frozen=True, slots=True)
class _AtQuestion:
    selector: Selector

    def __call__(self, desk: Desk, scenes: Iterable[Encoded], shares: Sequence[float]) -> list[Run]:
        counts = [[0, 0] for _ in shares]
        said: list[list[str]] = [[] for _ in shares]
        for encoded in scenes:
            for place, one in enumerate(choose(desk, encoded, self.selector, shares)):
                counts[place][0] += one.offered
                counts[place][1] += one.read
                said[place] += one.answers
        if self.selector.spending is Spending.OWN and all(words == said[0] for words in said):
            return [Run(None, None, *_pair(counts[0]), tuple(said[0]))]
        return [
            Run(share, None, *_pair(count), tuple(words))
            for share, count, words in zip(shares, counts, said, strict=True)
        ]


def _pair(count: list[int]) -> tuple[int, int]:
    encoded, kept = count
    return encoded, kept


def _label(selector: Selector) -> str:
    """The method with every plain parameter that is not its default."""
    assert is_dataclass(selector)
    values = {f.name: (getattr(selector, f.name), f.default) for f in fields(selector)}
    changed = [
        f"{name}={value}"
        for name, (value, usual) in values.items()
        if isinstance(value, bool | int | float | str) and value != usual
    ]
    return f"{selector.method}({', '.join(changed)})" if changed else selector.method


def _free(label: str, taken: Iterable[str]) -> str:
    """The label, numbered where another one has it."""
    number, names = 1, set(taken)
    while (found := label if number == 1 else f"{label} #{number}") in names:
        number += 1
    return found
