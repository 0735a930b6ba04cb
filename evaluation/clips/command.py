"""`lookout eval clips --clips DIR`: primitive questions about real clips, the real pipeline."""

from __future__ import annotations

import argparse
import asyncio
import json
import math
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # before torch: others share the cores

import torch
from rich.progress import track

from core.errors import ConfigError, LookoutError
from evaluation.clips.playing import Player
from evaluation.clips.questions import Question, QuestionFile, find, load, of_play
from evaluation.clips.scoring import Reply, by_kind
from evaluation.clips.views import View, dark, turn
from stream.compose import open_house
from stream.configuration import load_settings
from stream.sources import MaxPace

DESCRIPTION: Final = "primitive questions about real clips: moving, which way, how many, colour"


def main(argv: Sequence[str]) -> int:
    """Measure as the command line says; 0 when measured, 1 on a failure, 2 for a wrong call."""
    options = _parser().parse_args(argv)
    torch.set_num_threads(options.threads)
    try:
        questions = load(options.questions)
        paths = find(options.clips, questions.clips)
        result = asyncio.run(_measure(options, questions, paths))
        for line in lines(result):
            print(line)
        if options.json:
            _write(options.json, result)
    except LookoutError as error:
        print(f"lookout eval clips: {error}", file=sys.stderr)
        return error.exit_status
    return 0


async def _measure(
    options: argparse.Namespace, file: QuestionFile, paths: Mapping[str, Path]
) -> dict[str, Any]:
    # A slow machine must not change answers: in a recording played to the frame nothing is stale.
    fixed = {"model": {"name": options.model}, "answer": {"stale_after_s": math.inf}}
    settings = load_settings(options.config, fixed)
    alone = settings.model_copy(update={"cameras": {}})
    async with open_house(alone, pace=MaxPace()) as house:
        replies = await _replies(Player(house, settings.answer.max_tokens), file, paths)
    return {
        **figures(replies),
        "model": options.model,
        "pruning": settings.pruning.model_dump(mode="json"),
        "memory": settings.memory.model_dump(mode="json"),
        "sampling": settings.sampling.model_dump(mode="json"),
        "credits": {name: clip.credit for name, clip in file.clips.items()},
        "answers": [_answer(reply) for reply in replies],
    }


async def _replies(player: Player, file: QuestionFile, paths: Mapping[str, Path]) -> list[Reply]:
    """Play every clip in each turn that is asked about, and once in black for all turns."""
    questions = file.questions()
    shown: dict[Question, str] = {}
    blank: dict[tuple[str, float, str], str] = {}  # black is black however it is turned
    plays = list(_plays(questions, list(paths)))
    for clip, view, asked in track(plays, "clips"):
        said = await player.play(paths[clip], view, asked)
        for question, answer in zip(asked, said, strict=True):
            if view is dark:
                blank[clip, question.at, question.text] = answer
            else:
                shown[question] = answer
    return [Reply(q, shown[q], blank[q.clip, q.at, q.text]) for q in questions]


def _plays(
    questions: Sequence[Question], clips: Sequence[str]
) -> Iterator[tuple[str, View, list[Question]]]:
    for clip in clips:
        upright = of_play(questions, clip, 0)
        yield clip, dark, upright
        for quarters in range(4):
            if asked := of_play(questions, clip, quarters):
                yield clip, turn(quarters), asked


def figures(replies: Sequence[Reply]) -> dict[str, Any]:
    """What was measured: `tasks` over all clips and `clips` by name, see `scoring.by_kind`."""
    clips = dict.fromkeys(reply.question.clip for reply in replies)
    return {
        "tasks": by_kind(replies),
        "clips": {clip: by_kind([r for r in replies if r.question.clip == clip]) for clip in clips},
    }


def lines(result: Mapping[str, Any]) -> Iterator[str]:
    """The figures as text, a table for each clip and one for all; shares in percent."""
    for title, table in (*result["clips"].items(), ("all clips", result["tasks"])):
        yield (
            f"{title:<22}{'right':>7}{'blank':>7}{'fixed':>7}{'chance':>8}{'n':>5}"
            f"{'p chance':>10}{'p fixed':>10}"
        )
        for kind, row in table.items():
            shares = "".join(
                f"{100 * row[key]:>{width}.1f}"
                for key, width in (
                    ("accuracy", 7), ("blank", 7), ("most_frequent", 7), ("chance", 8),
                )
            )  # fmt: skip
            luck = f"{row['p_chance']:>10.2g}{row['p_most_frequent']:>10.2g}"
            yield f"  {kind:<20}{shares}{row['n']:>5}{luck}"
            if row["near"]:
                near = row["near"]
                yield (
                    f"  {'  within one':<20}{100 * near['accuracy']:>7.1f}{'':>14}"
                    f"{100 * near['chance']:>8.1f}{row['n']:>5}{near['p_chance']:>10.2g}"
                )
    every = result["tasks"]["all"]
    yield (
        f"{every['n']} questions about {every['passages']} passages; those of one passage hang "
        f"together, so p flatters. {every['unread']} answers say nothing or two things."
    )


def _answer(reply: Reply) -> dict[str, Any]:
    question = reply.question
    return {
        "clip": question.clip,
        "at": question.at,
        "quarters": question.quarters,
        "kind": question.kind,
        "question": question.text,
        "truth": question.truth,
        "answer": reply.answer,
        "right": reply.right,
        "blank": reply.blank,
    }


def _write(path: Path, result: Mapping[str, Any]) -> None:
    try:
        path.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"--json {path}: cannot be written: {error.strerror}") from error


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("lookout eval clips", description=DESCRIPTION)
    parser.add_argument("--clips", type=Path, required=True, metavar="DIR", help="where they lie")
    parser.add_argument("--questions", type=Path, help="other clips: a YAML file like ours")
    parser.add_argument("--json", type=Path, help="file for the result")
    parser.add_argument("--model", default="embedded", help="embedded, a folder, or an id")
    parser.add_argument("--threads", type=int, default=1, help="of torch")
    parser.add_argument(
        "-c", "--config", action="append", default=[], help="YAML file or KEY=VALUE; repeatable"
    )
    return parser
