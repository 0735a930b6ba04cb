"""`python -m evaluation.silence FOLDER`: how readily a model speaks when it is not asked anew.

In training something happens in every other step that a standing question is put at; live it does
in one of many. The difference of these two chances is a constant in the logit of silence. Here it
is chosen by F1 on scenes of seeds that no result is reported for, and written beside the weights.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

import torch

from core.errors import DataError, LookoutError
from evaluation.embedded import measure, settings_for
from evaluation.responders import PipelineResponder, Responder
from evaluation.rows import Vigil
from evaluation.speaking import scores
from evaluation.suites import SUITES
from stream.compose import open_house
from stream.sources import MaxPace

SEEDS: Final = (90, 91)  # of `lookout eval embedded`
BIASES: Final = (0.0, 0.5, 1.0, 1.5, 2.0, 3.0)


async def choose(
    at: Callable[[float], Responder], seeds: Sequence[int], limit: int | None
) -> dict[float, float]:
    """F1 of standing questions at each bias.

    Args:
        at: who answers at a bias; asked for one after the other.
        seeds: of the scenes.
        limit: scenes of each seed; None for as many as the suite has.
    """
    found = {}
    for bias in BIASES:
        responder = at(bias)
        vigils: list[Vigil] = []
        for seed in seeds:
            rows = await measure(responder, ["standing"], seed, limit)
            vigils += rows["standing"].vigils
        found[bias] = scores(vigils)["f1"]
        print(f"bias {bias:4.1f}: F1 {found[bias]:.3f}", flush=True)
    return found


def best(found: Mapping[float, float]) -> float:
    """The bias of the highest F1; of several the least, which changes a model least."""
    return max(found, key=lambda bias: (found[bias], -bias))


def write(folder: Path, bias: float) -> None:
    """Put a bias beside a model's weights, and leave all else that stands there.

    Raises:
        DataError: if what stands there cannot be read or written.
    """
    file = folder / "generation_config.json"
    try:
        settings = json.loads(file.read_text(encoding="utf-8"))
        settings["lookout"] = {**settings.get("lookout", {}), "silence_bias": bias}
        text = json.dumps(settings, indent=2, sort_keys=True) + "\n"
        file.write_text(text, encoding="utf-8")
    except OSError as error:
        raise DataError(f"{file}: {error.strerror or 'I/O error'}") from None
    except (ValueError, AttributeError, TypeError):
        raise DataError(f"{file}: not the settings of a model") from None


async def _choose_for(folder: Path, limit: int | None) -> dict[float, float]:
    footage = SUITES["standing"].footage
    async with open_house(settings_for(footage, (), str(folder)), pace=MaxPace()) as house:

        def at(bias: float) -> Responder:
            house.model.silence_bias = bias
            return PipelineResponder(house)

        return await choose(at, SEEDS, limit)


def main(argv: Sequence[str]) -> int:
    """Choose and write; 0 when done, 1 on a failure, 2 for a wrong call."""
    parser = argparse.ArgumentParser("python -m evaluation.silence", description=__doc__)
    parser.add_argument("folder", type=Path, help="of the model")
    parser.add_argument("--limit", type=int, help="scenes of each seed")
    options = parser.parse_args(argv)
    torch.set_num_threads(1)
    try:
        write(options.folder, best(asyncio.run(_choose_for(options.folder, options.limit))))
    except LookoutError as error:
        print(f"evaluation.silence: {error}", file=sys.stderr)
        return error.exit_status
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
