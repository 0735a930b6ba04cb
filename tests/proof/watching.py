"""Idle for a while, then answering all the while: what memory takes in, how soon answers come."""

from __future__ import annotations

import asyncio
import time
from typing import Any

from client import Lookout
from tests.proof.serving import Figures, Served

QUESTIONS = ("How many objects are there?", "What do you see?")
IDLE_S = ANSWERING_S = 6.0


async def ask(lookout: Lookout, camera: str, question: str) -> tuple[str, Any]:
    """The whole answer and its `response.done`."""
    answer = lookout.ask(camera, question)
    text = "".join([delta async for delta in answer])
    return text, answer.response


async def measure(served: Served, camera: str, name: str) -> Figures:
    """Frames into memory per second while idle and while answers are given without a pause."""
    async with Lookout(served.websocket) as lookout:
        idle, _ = await _rate(served, camera, asyncio.sleep(IDLE_S))
        ttft: list[float] = []
        tokens = 0

        async def answering() -> None:
            nonlocal tokens
            end, n = time.monotonic() + ANSWERING_S, 0
            while time.monotonic() < end:
                _, response = await ask(lookout, camera, QUESTIONS[n % len(QUESTIONS)])
                assert response.status == "completed", response
                ttft.append(response.lookout.timing.ttft_ms)
                tokens += response.usage.output_tokens
                n += 1

        busy, view = await _rate(served, camera, answering())
    ttft.sort()
    figures = Figures(
        name,
        {
            "frames_in": view["frames_in"],
            "frames_dropped": view["frames_dropped"],
            "lag_p95_ms": round(view["lag_p95_ms"], 1),
            "answers": len(ttft),
            "answer_tokens": tokens,
            "ttft_p50_ms": round(ttft[len(ttft) // 2], 1),
            "ttft_p95_ms": round(ttft[max(0, -(-len(ttft) * 95 // 100) - 1)], 1),
            "frames_per_s_idle": round(idle, 2),
            "frames_per_s_answering": round(busy, 2),
            "ratio": round(busy / idle, 3),
        },
    )
    figures.write()
    return figures


async def _rate(served: Served, camera: str, work: Any) -> tuple[float, dict[str, Any]]:
    """Frames remembered per second, from the moment of one increase to that of another."""
    before, began = await _increase(served, camera)
    await work
    after, ended = await _increase(served, camera)
    frames = after["frames_remembered"] - before["frames_remembered"]
    return frames / (ended - began), after


async def _increase(served: Served, camera: str) -> tuple[dict[str, Any], float]:
    """The camera's numbers when its next frames have just entered memory, and when that was."""
    count = served.camera(camera)["frames_remembered"]
    view = await served.until(camera, lambda view: view["frames_remembered"] > count)
    return view, time.monotonic()
