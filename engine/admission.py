"""How much of the engine's time the attached cameras need, and whether one more fits.

What a camera needs follows from what its frames make (visual tokens encoded, tokens prefilled) and
from what those cost in the steps that were timed (`engine.pace`). The fixed part of a step is
shared by as much as a full step holds, since that is how a busy engine works; so the estimate is of
an engine that is full, not of one that looks at every segment alone.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from core.errors import Overloaded
from engine.pace import Cost

WEIGHT = 0.05  # of a new segment in the means, once there are some
MEANT = 8  # segments before which nothing is refused


@dataclass(slots=True)
class Appetite:
    """What a frame makes the engine do: means over the newest segments."""

    encoded: float = 0.0  # visual tokens per frame
    prefilled: float = 0.0  # tokens per frame
    segments: int = 0

    def note(self, frames: int, encoded: int, prefilled: int) -> None:
        """A segment of so many frames made so many tokens."""
        self.segments += 1
        weight = max(WEIGHT, 1 / self.segments)
        self.encoded += weight * (encoded / frames - self.encoded)
        self.prefilled += weight * (prefilled / frames - self.prefilled)


@dataclass(slots=True)
class _Camera:
    fps: float
    appetite: Appetite = field(default_factory=Appetite)


class Admission:
    """Keeps account of what cameras need. From any thread.

    Args:
        cost: what steps cost; None while too little was measured.
        prefill_tokens: of a full step.
        encode_tokens: visual tokens of a full step.
        full_ms: that a full step takes at most.
        most: share of the engine's time that cameras may need together.
    """

    def __init__(
        self,
        cost: Callable[[], Cost | None],
        prefill_tokens: int,
        encode_tokens: int,
        full_ms: float,
        most: float,
    ) -> None:
        self._cost = cost
        self._full = (prefill_tokens, encode_tokens)
        self._full_ms = full_ms
        self._most = most
        self._lock = threading.Lock()
        self._cameras: dict[int, _Camera] = {}
        self._usual = Appetite()  # of any camera

    def admit(self, camera: int, fps: float, *, anyway: bool = False) -> None:
        """Count a camera in.

        Args:
            camera: a number that no other has.
            fps: frames per second that are due.
            anyway: whether it comes in however much the others need.

        Raises:
            Overloaded: if with it the cameras would need more than there is; says what it needs.
        """
        with self._lock:
            if not anyway:
                self._check(fps, self._cameras)
            self._cameras[camera] = _Camera(fps)

    def check(self, fps: float, instead_of: int) -> None:
        """Whether a camera could come in, were another one gone, or needs no more than that one.

        Args:
            fps: frames per second that would be due.
            instead_of: the other one's number.

        Raises:
            Overloaded: as `admit` does.
        """
        with self._lock:
            before = self._cameras.get(instead_of)
            if before is not None and fps <= before.fps:
                return
            self._check(fps, {n: one for n, one in self._cameras.items() if n != instead_of})

    def leave(self, camera: int) -> None:
        """A camera is gone, or never came, or nothing more is due of it. Idempotent."""
        with self._lock:
            self._cameras.pop(camera, None)

    def note(self, camera: int, frames: int, encoded: int, prefilled: int) -> None:
        """A segment of a camera is in memory.

        Args:
            camera: whose; unknown ones count for what is usual only.
            frames: at least 1.
            encoded: visual tokens seen.
            prefilled: tokens.
        """
        with self._lock:
            self._usual.note(frames, encoded, prefilled)
            if camera in self._cameras:
                self._cameras[camera].appetite.note(frames, encoded, prefilled)

    def share(self, camera: int) -> float | None:
        """Share of the engine's time that a camera needs; None if it is not known (yet)."""
        with self._lock:
            known = self._cameras.get(camera)
            return None if known is None else self._share(known)

    def _share(self, camera: _Camera) -> float | None:
        cost = self._cost()
        if cost is None or self._usual.segments < MEANT:
            return None
        made = camera.appetite if camera.appetite.segments else self._usual
        ms = cost.prefilled * made.prefilled + cost.encoded * made.encoded
        room = max(self._full_ms - cost.step, cost.step)  # as `engine.pace` leaves it
        by_time = ms / room if room > 0 else 0.0
        full = max(made.prefilled / self._full[0], made.encoded / self._full[1], by_time)
        return camera.fps * (ms + cost.step * full) / 1000

    def _check(self, fps: float, others: Mapping[int, _Camera]) -> None:
        need = self._share(_Camera(fps))
        used = sum(self._share(one) or 0.0 for one in others.values())
        if need is not None and used + need > self._most:
            raise Overloaded(self._refusal(used, need, fps, len(others)))

    def _refusal(self, used: float, need: float, fps: float, cameras: int) -> str:
        free = max(0.0, self._most - used)
        slower = fps * free / need
        remedy = f"attach it with at most {slower:.2g} frames per second" if slower >= 0.1 else ""
        ways = [remedy, "detach another" if cameras else "", "raise engine.max_load"]
        with_ = f"with {cameras} camera{'s' if cameras != 1 else ''}"
        return (
            f"the engine is {used:.0%} busy {with_}, this one would need about {need:.0%} at "
            f"{fps:g} frames per second: {', or '.join(way for way in ways if way)}"
        )
