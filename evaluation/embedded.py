"""`lookout eval embedded`: exact match on unseen demo scenes, through the real pipeline."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Final

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # before torch: others share the cores

import torch
from rich.progress import track

from core.errors import LookoutError
from evaluation.responders import PipelineResponder, Responder
from evaluation.scenes import Scene, held_out
from evaluation.scoring import Scores, lines, passed
from stream.compose import open_house
from stream.configuration import load_settings
from stream.sources import MaxPace
from worlds.catalog import HELD_OUT
from worlds.wording import TASKS

DESCRIPTION: Final = "answers about unseen demo scenes, each question asked alone"
GATES: Final = {
    "colour": 0.9,
    "shape": 0.9,
    "where": 0.9,
    "count": 0.9,
    "exist": 0.9,
    "direction": 0.8,
    "appeared": 0.8,
}


def main(argv: Sequence[str]) -> int:
    """Measure as the command line says; 0 when measured, 1 on a failure, 2 for a wrong call."""
    options = _parser().parse_args(argv)
    torch.set_num_threads(options.threads)
    try:
        result = asyncio.run(_measure(options))
    except LookoutError as error:
        print(f"lookout eval embedded: {error}")
        return 1
    for line in lines(result["tasks"], GATES):
        print(line)
    if options.json:
        options.json.write_text(json.dumps(result, indent=2) + "\n")
    return 0


async def _measure(options: argparse.Namespace) -> dict[str, Any]:
    settings = load_settings(options.config, {"model": {"name": options.model}})
    async with open_house(settings, pace=MaxPace()) as house:
        scenes = held_out(options.seed, options.limit, TASKS)
        shown = track(scenes, "scenes", total=options.limit)
        table, mistakes = await score(PipelineResponder(house), shown)
    return {
        "tasks": table,
        "passed": passed(table, GATES),
        "gates": GATES,
        "model": options.model,
        "scenes": options.limit,
        "seed": options.seed,
        "trained_below": HELD_OUT,
        "pruning": settings.pruning.model_dump(mode="json"),
        "memory": settings.memory.model_dump(mode="json"),
        "sampling": settings.sampling.model_dump(mode="json"),
        "mistakes": mistakes[:40],
    }


async def score(
    responder: Responder, scenes: Iterable[Scene]
) -> tuple[dict[str, dict[str, float]], list[dict[str, str]]]:
    """Ask every question of every scene.

    Returns:
        the table of `Scores`, and the wrong answers in order.
    """
    scores, mistakes = Scores(), []
    for scene in scenes:
        texts = [question.text for question in scene.questions]
        answers = await responder.answers(scene, texts, blank=False)
        blanks = await responder.answers(scene, texts, blank=True)
        for question, answer, blank in zip(scene.questions, answers, blanks, strict=True):
            if not scores.add(question, answer, blank):
                mistakes.append(
                    {
                        "task": question.task,
                        "question": question.text,
                        "truth": question.answer,
                        "answer": answer,
                        "world": f"demo:{scene.mood}?seed={scene.world.seed}",
                        "at": f"{scene.end:.2f}",
                    }
                )
    return scores.table(), mistakes


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("lookout eval embedded", description=DESCRIPTION)
    parser.add_argument("--seed", type=int, default=0, help="another set of scenes")
    parser.add_argument("--limit", type=int, default=1000, help="scenes")
    parser.add_argument("--json", type=Path, help="file for the result")
    parser.add_argument("--model", default="embedded", help="embedded, a folder, or an id")
    parser.add_argument("--threads", type=int, default=1, help="of torch")
    parser.add_argument(
        "-c", "--config", action="append", default=[], help="YAML file or KEY=VALUE; repeatable"
    )
    return parser


if __name__ == "__main__":
    import sys

    raise SystemExit(main(sys.argv[1:]))
