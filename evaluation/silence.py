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
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import torch

from evaluation.embedded import measure, settings_for
from evaluation.responders import PipelineResponder
from evaluation.rows import Vigil
from evaluation.speaking import scores
from evaluation.suites import SUITES
from stream.compose import open_house
from stream.sources import MaxPace

SEEDS: Final = (90, 91)  # of `lookout eval embedded`
BIASES: Final = (0.0, 0.5, 1.0, 1.5, 2.0, 3.0)


async def choose(folder: Path, seeds: Sequence[int], limit: int | None) -> dict[float, float]:
    """F1 of standing questions at each bias.

    Args:
        folder: of the model.
        seeds: of the scenes.
        limit: scenes of each seed; None for as many as the suite has.
    """
    footage = SUITES["standing"].footage
    found = {}
    async with open_house(settings_for(footage, (), str(folder)), pace=MaxPace()) as house:
        for bias in BIASES:
            house.model.silence_bias = bias
            vigils: list[Vigil] = []
            for seed in seeds:
                rows = await measure(PipelineResponder(house), ["standing"], seed, limit)
                vigils += rows["standing"].vigils
            found[bias] = scores(vigils)["f1"]
            print(f"bias {bias:4.1f}: F1 {found[bias]:.3f}", flush=True)
    return found


def main(argv: Sequence[str]) -> int:
    """Choose and write; 0 when done."""
    parser = argparse.ArgumentParser("python -m evaluation.silence", description=__doc__)
    parser.add_argument("folder", type=Path, help="of the model")
    parser.add_argument("--limit", type=int, help="scenes of each seed")
    options = parser.parse_args(argv)
    torch.set_num_threads(1)
    found = asyncio.run(choose(options.folder, SEEDS, options.limit))
    best = max(found, key=lambda bias: (found[bias], -bias))
    file = options.folder / "generation_config.json"
    settings = json.loads(file.read_text(encoding="utf-8"))
    settings["lookout"] = {"silence_bias": best}
    file.write_text(json.dumps(settings, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
