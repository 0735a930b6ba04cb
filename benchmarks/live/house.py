"""`lookout bench live`: does watching go on while answers are spoken, and how soon do they come?

One camera in real time, in one process: first nobody asks, then answers are given without a pause.
The ratio of the two rates of frames into memory is the figure; 1 is perfect.
"""

from __future__ import annotations

import argparse
import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

from benchmarks.report import Row, publish
from stream.cameras.answer import AnswerResult, Question
from stream.cameras.camera import Camera
from stream.compose import open_house
from stream.configuration import load_settings
from stream.sources import open_source

QUESTIONS = ("What do you see?", "How many objects are there?", "What appeared last?")


def main(argv: Sequence[str]) -> int:
    """Measure and publish; 0."""
    parser = argparse.ArgumentParser(prog="lookout bench live", description=__doc__)
    parser.add_argument("--source", default="demo:busy", help="URL of a camera")
    parser.add_argument("--seconds", type=float, default=20.0, help="of each phase")
    parser.add_argument("--askers", type=int, default=1, help="conversations that ask at once")
    parser.add_argument("--json", type=Path, help="also write the rows to this file")
    parser.add_argument("-c", "--config", action="append", default=[], help="as for serve")
    options = parser.parse_args(argv)
    publish([asyncio.run(_measure(options))], options.json)
    return 0


async def _measure(options: argparse.Namespace) -> Row:
    settings = load_settings(options.config)
    results: list[AnswerResult] = []
    async with open_house(settings) as house:
        url: str = options.source
        camera = await house.cameras.attach("bench", lambda: open_source(url), url=url)
        await _moved(camera)
        idle = await _rate(camera, lambda: asyncio.sleep(options.seconds))
        cpu = time.process_time()
        busy = await _rate(camera, lambda: _answer(camera, options, results))
        cpu = time.process_time() - cpu
        view = camera.view()
    ttft = sorted(result.ttft_ms for result in results if result.ttft_ms is not None)
    speaking = [result.tokens_per_s for result in results if result.tokens_per_s is not None]
    return {
        "source": view.url,
        "askers": options.askers,
        "frames_per_s_idle": idle,
        "frames_per_s_answering": busy,
        "ratio": busy / idle,
        "frames_dropped": view.frames_dropped,
        "lag_p95_ms": view.lag_p95_ms,
        "answers": len(results),
        "ttft_p50_ms": ttft[len(ttft) // 2] if ttft else None,
        "ttft_p95_ms": ttft[max(0, -(-len(ttft) * 95 // 100) - 1)] if ttft else None,
        "tokens_per_s_p50": sorted(speaking)[len(speaking) // 2] if speaking else None,
        "cpu_s_per_s_answering": cpu / options.seconds,
        "memory_bytes": view.memory_bytes,
    }


async def _answer(camera: Camera, options: argparse.Namespace, results: list[AnswerResult]) -> None:
    end = time.monotonic() + options.seconds

    async def asker(number: int) -> None:
        while time.monotonic() < end:
            async with camera.ask(Question(QUESTIONS[number % len(QUESTIONS)])) as answer:
                async for _ in answer:
                    pass
            assert answer.result is not None
            results.append(answer.result)
            number += 1

    async with asyncio.TaskGroup() as group:
        for number in range(options.askers):
            group.create_task(asker(number))


async def _rate(camera: Camera, work: Callable[[], Awaitable[None]]) -> float:
    """Frames remembered per second, from the moment of one increase to that of another."""
    before, began = await _moved(camera)
    await work()
    after, ended = await _moved(camera)
    return (after - before) / (ended - began)


async def _moved(camera: Camera) -> tuple[int, float]:
    """Frames remembered when the next ones have just entered memory, and when that was."""
    count = camera.view().frames_remembered
    # A camera publishes numbers, not events; two milliseconds are far below a frame interval.
    while camera.view().frames_remembered == count:  # noqa: ASYNC110
        await asyncio.sleep(0.002)
    return camera.view().frames_remembered, time.monotonic()
