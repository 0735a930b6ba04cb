"""Who is let in: whether what the attached cameras need leaves enough for one more.

What a camera needs follows from what its frames make (visual tokens encoded, tokens prefilled) and
from what those cost in the steps that were timed (`engine.prices`); `engine.demand` says what all
need together. The estimate is of an engine that is full, not of one that looks at every segment
alone. As long as steps cannot tell what of their time is fixed, whatever is let in must fit both if
as little is as may be and if as much is: refused too early rather than let in at the cost of all.

A place that was given is kept. A camera whose source is gone, for a minute or for a week, needs
nothing now and all of it when it comes back, and it must not be the others then that slow down: so
it goes on counting in full, until somebody detaches it. Refusals count such cameras apart, with
what they hold, for whoever has to choose. What a camera makes while it gives something up says
nothing of its needs and is left out.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from core.errors import Overloaded
from engine.demand import Room, Stream
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
    away: bool = False  # its source delivers nothing
    appetite: Appetite = field(default_factory=Appetite)


@dataclass(frozen=True, slots=True)
class _Lack:
    """What there is not enough of, for people."""

    text: str
    remedy: str


class Admission:
    """Keeps account of what cameras need. From any thread.

    Args:
        costs: what steps may cost, all of which must do; none while too little was measured.
        room: how much the engine takes on at a time.
        most: share of the engine's time that cameras may need together.
        patience_s: within which frames shall be in memory, also if those of all cameras come at
            once.
    """

    def __init__(
        self,
        costs: Callable[[], Sequence[Cost]],
        room: Room,
        most: float,
        patience_s: float = math.inf,
    ) -> None:
        self._costs = costs
        self._room = room
        self._most = most
        self._patience_s = patience_s
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
                self._check(fps, list(self._cameras.values()))
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
            self._check(fps, [one for n, one in self._cameras.items() if n != instead_of])

    def leave(self, camera: int) -> None:
        """A camera is gone, or never came, or nothing more is due of it. Idempotent."""
        with self._lock:
            self._cameras.pop(camera, None)

    def away(self, camera: int, *, away: bool) -> None:
        """A camera's source delivers nothing, or does again; what it needs is kept for it."""
        with self._lock:
            if camera in self._cameras:
                self._cameras[camera].away = away

    def note(self, camera: int, frames: int, encoded: int, prefilled: int) -> None:
        """A segment of a camera is in memory for which nothing was given up.

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
            known, costs = self._cameras.get(camera), self._known_costs()
            return None if known is None or not costs else self._load([known], costs)

    def _known_costs(self) -> Sequence[Cost]:
        return self._costs() if self._usual.segments >= MEANT else ()

    def _stream(self, camera: _Camera) -> Stream:
        made = camera.appetite if camera.appetite.segments else self._usual
        return Stream(camera.fps, made.encoded, made.prefilled)

    def _load(self, cameras: Iterable[_Camera], costs: Sequence[Cost]) -> float:
        """Share that cameras need together, in the dearest account."""
        streams = [self._stream(camera) for camera in cameras]
        return max(sum(self._room.load(one, cost) for one in streams) for cost in costs)

    def _check(self, fps: float, others: Sequence[_Camera]) -> None:
        costs = self._known_costs()
        lack = self._lack([*others, _Camera(fps)], costs) if costs else None
        if lack is None:
            return
        slower = _shortened(self._possible(fps, others, costs))
        ways = [f"attach it with at most {slower:g} frames per second"] if slower >= 0.1 else []
        ways = [*ways, *(["detach another"] if others else []), lack.remedy]
        raise Overloaded(f"{self._used(others, costs)}, {lack.text}: {', or '.join(ways)}")

    def _lack(self, cameras: Sequence[_Camera], costs: Sequence[Cost]) -> _Lack | None:
        """What runs out with the last of these cameras."""
        newest, room, most = cameras[-1], self._room, self._most
        if self._load(cameras, costs) > most:
            need = self._load([newest], costs)
            return _Lack(
                f"this one would need about {need:.0%} at {newest.fps:g} frames per second",
                "raise engine.max_load",
            )
        streams = [self._stream(camera) for camera in cameras]
        around = max(room.round_s(streams, cost, most) for cost in costs)
        if around > min(room.longest_round_s(one) for one in streams):
            return _Lack(
                f"with this one each camera's turn would come every {around:.2g} s, and at "
                f"{max(one.fps for one in streams):g} frames per second more come meanwhile than "
                "a segment holds",
                "raise segment.max_steps",
            )
        burst = max(room.burst_s(streams, cost) for cost in costs)
        if burst > self._patience_s:
            return _Lack(
                f"with this one frames of all cameras, should they come at once, would take "
                f"{burst:.2g} s to be remembered",
                f"raise overload.target_lag_s ({self._patience_s:g})",
            )
        return None

    def _used(self, cameras: Sequence[_Camera], costs: Sequence[Cost]) -> str:
        number, used = len(cameras), self._load(cameras, costs)
        text = f"the engine is {used:.0%} busy with {number} camera{'s' if number != 1 else ''}"
        away = [camera for camera in cameras if camera.away]
        if not away:
            return text
        held = f"{self._load(away, costs):.0%}"
        if len(away) == 1:
            return f"{text} (one of them is offline and holds {held})"
        return f"{text} ({len(away)} of them are offline and hold {held})"

    def _possible(self, fps: float, others: Sequence[_Camera], costs: Sequence[Cost]) -> float:
        """Frames per second, below those asked for, with which a camera would fit; 0: none."""
        low, high = 0.0, fps
        for _ in range(12):  # to a thousandth of what was asked for
            middle = (low + high) / 2
            if self._lack([*others, _Camera(middle)], costs) is None:
                low = middle
            else:
                high = middle
        return low


def _shortened(number: float) -> float:
    """The first two digits of a positive number: never more than it is, since it is promised."""
    if number <= 0:
        return 0.0
    unit = 10.0 ** (math.floor(math.log10(number)) - 1)
    return float(f"{math.floor(number / unit) * unit:.2g}")
