"""Frames between a producer, on any thread, and one consumer on the event loop; always bounded."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections import deque

from core.frames import Frame


class FrameBuffer:
    """Holds at most `capacity` frames; when full, the oldest gives way and is counted.

    Live video is worth its freshness, so `put` drops the oldest. A file at full speed must lose
    nothing: its producer uses `put_waiting` or `put_blocking` and is held back instead.

    Any thread may put and close. One task at a time may take.

    Args:
        capacity: frames held at most, at least 1.
    """

    def __init__(self, capacity: int) -> None:
        if capacity < 1:
            raise ValueError(f"a buffer holds at least one frame, not {capacity}")
        self.capacity = capacity
        self.dropped = 0
        self._frames: deque[Frame] = deque()
        self._end: Exception | None = None
        self._changed = threading.Condition()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._filled = asyncio.Event()
        self._drained = asyncio.Event()

    def __len__(self) -> int:
        return len(self._frames)

    @property
    def closed(self) -> bool:
        """Whether nothing more can come in; frames may still be held."""
        return self._end is not None

    def put(self, frame: Frame) -> None:
        """Adds a frame; drops and counts the oldest when full. Ignored when closed."""
        with self._changed:
            if self._end is not None:
                return
            if len(self._frames) == self.capacity:
                self._frames.popleft()
                self.dropped += 1
            self._frames.append(frame)
        self._wake(self._filled)

    def put_blocking(self, frame: Frame) -> bool:
        """Adds a frame, holding the calling thread until there is room; False when closed."""
        with self._changed:
            self._changed.wait_for(lambda: self._end is not None or self._has_room)
            if self._end is not None:
                return False
            self._frames.append(frame)
        self._wake(self._filled)
        return True

    async def put_waiting(self, frame: Frame) -> bool:
        """Adds a frame, waiting on the event loop until there is room; False when closed."""
        self._loop = asyncio.get_running_loop()
        while True:
            with self._changed:
                if self._end is not None:
                    return False
                if self._has_room:
                    self._frames.append(frame)
                    break
                self._drained.clear()
            await self._drained.wait()
        self._wake(self._filled)
        return True

    async def get_many(self, max_frames: int) -> list[Frame]:
        """Up to `max_frames` of the oldest frames; waits for at least one.

        Raises:
            Exception: what `close` was given, once the buffer is empty.
        """
        self._loop = asyncio.get_running_loop()
        while True:
            with self._changed:
                if self._frames:
                    taken = [self._frames.popleft() for _ in range(min(max_frames, len(self)))]
                    self._changed.notify_all()
                    break
                if self._end is not None:
                    raise self._end
                self._filled.clear()
            await self._filled.wait()
        self._drained.set()
        return taken

    def close(self, end: Exception, *, discard: bool = False) -> None:
        """Lets nothing more in; `end` is raised to the consumer after the last frame.

        Args:
            end: why; the first call wins.
            discard: forget the frames still held, too.
        """
        with self._changed:
            if self._end is None:
                self._end = end
            if discard:
                self._frames.clear()
            self._changed.notify_all()
        self._wake(self._filled)
        self._wake(self._drained)

    @property
    def _has_room(self) -> bool:
        return len(self._frames) < self.capacity

    def _wake(self, event: asyncio.Event) -> None:
        """Sets an event of the loop from any thread; without a loop nobody waits."""
        if self._loop is not None:
            with contextlib.suppress(RuntimeError):  # the loop has ended, and its waiters with it
                self._loop.call_soon_threadsafe(event.set)
