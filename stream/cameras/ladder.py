"""What a camera gives up while it lags, one thing after the other, and takes back when it does not.

Pure: lag samples and the time go in, a rung comes out. Up wants the lag to be above the target
throughout, down wants it never to be, so that a single slow segment changes nothing. Time in which
the lag is clearly below the target counts in full for coming down, time in which it is only just
below counts a quarter: whoever would be well without a rung is tried without it in bounded time.
Whoever then relapses rests twice as long before the next try, up to a bound; so a load that is too
much for good changes rungs a few times at first, and then once in that time.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class Rung(StrEnum):
    """What has been given up; each rung keeps what those before it gave up."""

    NONE = "none"
    FPS = "fps"  # fewer frames are sampled
    BUDGET = "budget"  # fewer visual tokens are kept
    PICTURE = "picture"  # pictures are seen smaller
    SKIP = "skip"  # frames that wait are passed over but for the newest


RUNGS = tuple(Rung)
CALM = 0.5  # lag is calm up to this share of the target
EDGE = 0.25  # what a second counts for coming down while the lag is above that, below the target
SLOWER = 4.0  # coming down takes so many times the patience of going up
STUBBORN = 16.0  # ... and, falling back within that time, so many times as long at most


@dataclass(frozen=True, slots=True)
class Overload:
    """When a camera is overloaded.

    Args:
        target_lag_s: from the arrival of a frame until it is in memory; above it, something is
            given up.
        patience_s: how long it must be above.

    Raises:
        ValueError: if either is not positive.
    """

    target_lag_s: float = 2.0
    patience_s: float = 3.0

    def __post_init__(self) -> None:
        if not (self.target_lag_s > 0 and self.patience_s > 0):
            raise ValueError("target_lag_s and patience_s must be positive")


class Ladder:
    """One camera's place on the ladder.

    Args:
        overload: when to go up.
    """

    def __init__(self, overload: Overload) -> None:
        self._overload = overload
        self._useless: frozenset[Rung] = frozenset()
        self._high_since: float | None = None
        self._noted: float | None = None  # when the newest sample came
        self._restful = 0.0  # what a second counted for coming down then
        self._rested = 0.0  # seconds that count, since the lag was last too high or a rung changed
        self._came_down: float | None = None
        self._rest_s = overload.patience_s * SLOWER
        self.rung = Rung.NONE
        self.changes = 0

    def leave_out(self, rungs: Iterable[Rung]) -> None:
        """Say which rungs would change nothing for this camera; they are passed over."""
        self._useless = frozenset(rungs) - {Rung.NONE}

    def note(self, lag_s: float, now: float) -> bool:
        """A segment is in memory; whether the rung changed.

        Args:
            lag_s: from the arrival of its newest frame until now.
            now: monotonic seconds.
        """
        restful = self._restful_at(lag_s)
        passed = 0.0 if self._noted is None else now - self._noted
        self._rested += passed * min(restful, self._restful)
        self._noted, self._restful = now, restful
        if restful:
            self._high_since = None
            return self._rested >= self._rest_s and self._descend(now)
        self._rested = 0.0
        if self._high_since is None:
            self._high_since = now
        return now - self._high_since >= self._overload.patience_s and self._climb(now)

    def _restful_at(self, lag_s: float) -> float:
        """What a second with such a lag counts for coming down."""
        target = self._overload.target_lag_s
        return 0.0 if lag_s > target else EDGE if lag_s > target * CALM else 1.0

    def _climb(self, now: float) -> bool:
        rungs = [rung for rung in RUNGS[RUNGS.index(self.rung) + 1 :] if rung not in self._useless]
        if not rungs:
            return False
        if self._came_down is not None:  # the first step up since
            first = self._overload.patience_s * SLOWER
            relapsed = now - self._came_down < STUBBORN * first
            self._rest_s = min(2 * self._rest_s, STUBBORN * first) if relapsed else first
        self._came_down, self._high_since = None, now  # what was given up now must show first
        return self._move(rungs[0])

    def _descend(self, now: float) -> bool:
        rungs = [rung for rung in RUNGS[: RUNGS.index(self.rung)] if rung not in self._useless]
        if not rungs:
            return False
        self._came_down, self._rested = now, 0.0
        return self._move(rungs[-1])

    def _move(self, rung: Rung) -> bool:
        self.rung = rung
        self.changes += 1
        return True

    def gives_up(self, rung: Rung) -> bool:
        """Whether that is given up now."""
        return rung not in self._useless and RUNGS.index(rung) <= RUNGS.index(self.rung)
