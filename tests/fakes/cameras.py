"""Cameras that see what a test shows them and answer what it tells them, over the real seam."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.errors import (
    CameraExists,
    CameraNotFound,
    CapacityExceeded,
    Unsupported,
)
from core.frames import Frame
from engine.requests import Noted
from memory.saving.manifest import Manifest
from stream.cameras.answer import Answer, AnswerResult, Evidence, Question
from stream.cameras.view import CameraView
from stream.sources.base import Source
from stream.sources.push import PushSource
from stream.sources.sampler import Sampler


class FakeCamera:
    """Answers with `words`, one after the other; `pause` stops it after the first one."""

    def __init__(self, name: str, url: str, tasks: asyncio.TaskGroup, fps: float | None) -> None:
        self.name = name
        self.words: Sequence[str] = ("a ", "red ", "circle")
        self.evidence = (Evidence(name, 1.0, 3.5),)
        self.refuses: Exception | None = None
        self.breaks: Exception | None = None
        self.fails: str | None = None
        self.asked: list[Question] = []
        self.pushed: list[NDArray[np.uint8]] = []
        self.captured: list[float | None] = []
        self.truths: dict[str, Any] | None = None
        self.noted: tuple[Noted, ...] = ()
        self.running = 0
        self.source: Source | None = None
        self._go = asyncio.Event()
        self._go.set()
        self._tasks = tasks
        self._frame: Frame | None = None
        self._view = CameraView(
            name=name,
            url=url,
            state="live",
            reason=None,
            retry_in_ms=None,
            fps=fps or 4.0,
            codec="h264",
            width=64,
            height=48,
            reconnects=0,
            frames_in=0,
            frames_dropped=0,
            frames_remembered=0,
            segments=0,
            segments_lost=0,
            tokens_encoded=0,
            tokens_kept=0,
            memory_held=0,
            memory_seen=0,
            memory_capacity=512,
            memory_bytes=4096,
            lag_ms=12.0,
            lag_p95_ms=20.0,
            frame_age_ms=250.0,
            newest_pts=4.0,
            answering=0,
            policy="none",
            budget=18,
        )

    def view(self) -> CameraView:
        if self.breaks is not None:
            raise self.breaks
        return replace(self._view, answering=self.running)

    def change(self, **fields: Any) -> CameraView:
        self._view = replace(self._view, **fields)
        return self._view

    def notes(self) -> tuple[Noted, ...]:
        return self.noted

    def latest(self) -> Frame | None:
        return self._frame

    def truth(self) -> dict[str, Any] | None:
        return self.truths

    def see(self, pixels: NDArray[np.uint8]) -> None:
        self._frame = Frame(4.0, time.monotonic(), pixels)

    def push(self, pixels: NDArray[np.uint8], captured_at: float | None = None) -> None:
        assert isinstance(self.source, PushSource)
        self.pushed.append(pixels)
        self.source.push(pixels, captured_at)
        self.captured.append(captured_at)
        self.see(pixels)
        self.change(frames_in=len(self.pushed))

    async def save(self) -> Manifest:
        raise Unsupported("a camera that remembers nothing has nothing to save")

    def pause(self) -> None:
        self._go.clear()

    def resume(self) -> None:
        self._go.set()

    def ask(self, question: Question) -> Answer:
        if self.refuses is not None:
            raise self.refuses
        self.asked.append(question)
        stopped = asyncio.Event()
        answer = Answer(stopped.set)
        self._tasks.create_task(self._tell(answer, stopped, question.max_tokens))
        return answer

    async def _tell(self, answer: Answer, stopped: asyncio.Event, max_tokens: int) -> None:
        self.running += 1
        said: list[str] = []
        for word in self.words[:max_tokens]:
            if stopped.is_set() or self.fails:
                break
            said.append(word)
            answer.offer(word)
            await asyncio.sleep(0)
            await _first(self._go, stopped)
        self.running -= 1
        short = len(said) < len(self.words)
        how = "error" if self.fails else "cancelled" if stopped.is_set() else "length"
        answer.finish(
            AnswerResult(
                text="".join(said),
                finish_reason=how if short else "stop",
                error=self.fails,
                prompt_tokens=7,
                completion_tokens=len(said),
                memory_tokens=36,
                queue_ms=1.0,
                ttft_ms=5.0,
                total_ms=9.0,
                tokens_per_s=100.0,
                frame_age_ms=250.0,
                evidence=self.evidence,
            )
        )


class FakeCameras:
    """The server's cameras, at most `limit`. Use as an async context manager."""

    def __init__(self, *names: str, limit: int = 8) -> None:
        self._first = names
        self._limit = limit
        self._cameras: dict[str, FakeCamera] = {}
        self._listeners: list[Callable[[CameraView], None]] = []
        self._tasks = asyncio.TaskGroup()

    async def __aenter__(self) -> FakeCameras:
        await self._tasks.__aenter__()
        for name in self._first:
            self._cameras[name] = FakeCamera(name, f"rtsp://{name}.example/", self._tasks, None)
        return self

    async def __aexit__(self, *exc: Any) -> None:
        await self._tasks.__aexit__(*exc)

    def __getitem__(self, name: str) -> FakeCamera:
        return self._cameras[name]

    def names(self) -> list[str]:
        return list(self._cameras)

    def get(self, name: str) -> FakeCamera:
        if name not in self._cameras:
            raise CameraNotFound(f"there is no camera {name}")
        return self._cameras[name]

    async def attach(
        self,
        name: str,
        source: Callable[[], Source],
        *,
        url: str,
        fps: float | None = None,
        anyway: bool = False,
    ) -> FakeCamera:
        if name in self._cameras:
            raise CameraExists(f"there is a camera {name} already")
        if len(self._cameras) >= self._limit:
            raise CapacityExceeded(f"{self._limit} cameras are the limit")
        camera = FakeCamera(name, url, self._tasks, fps)
        camera.source = source()
        if isinstance(camera.source, PushSource):
            await camera.source.open(Sampler(camera.view().fps))
        self._cameras[name] = camera
        self.tell(camera.view())
        return camera

    def check_time(self, name: str, fps: float | None) -> None:
        self.get(name)

    async def detach(self, name: str) -> None:
        camera = self.get(name)
        del self._cameras[name]
        if camera.source is not None:
            await camera.source.close()

    def subscribe(self, listener: Callable[[CameraView], None]) -> Callable[[], None]:
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    def tell(self, view: CameraView) -> None:
        for listener in list(self._listeners):
            listener(view)


async def _first(*events: asyncio.Event) -> None:
    """Waits until one of the events is set."""
    waiting = [asyncio.ensure_future(event.wait()) for event in events]
    try:
        await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for one in waiting:
            one.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
