"""One rising media time per camera, over reconnections and over clocks that jump."""

from __future__ import annotations

import math

MAX_JUMP_S = 10.0  # a live clock that leaps further than time has passed is another clock
MIN_STEP_S = 0.001
_BURST_ENDS_S = 10.0


class Timeline:
    """Places the pts of one source after another on one axis that starts at 0 and only rises.

    Inside a connection differences of pts are kept. Where the source's clock jumps (pts do not
    rise, or leap by over `MAX_JUMP_S` more than has passed), the axis goes on by the monotonic
    time since the last frame.

    At a new connection it goes on by monotonic time, too, with one correction. A network source
    first delivers at once what was collected while it was probed, a second or more. Taken at their
    arrival these frames would push everything after them ahead of time, a bit more with each
    reconnection; so the longest such burst is remembered and the first frame is placed that much
    earlier (but after the last one).
    """

    def __init__(self) -> None:
        self._offset: float | None = None
        self._live = True
        self._source_pts = 0.0
        self._pts: float | None = None
        self._arrived = 0.0
        self._delay = math.inf  # least (arrived - pts) ever: a frame that came without delay
        self._burst = 0.0
        self._joined: tuple[float, float] = (0.0, 0.0)  # arrival and delay of its first frame

    @property
    def offset(self) -> float:
        """Seconds of the axis at second 0 of the present source; 0 before its first frame."""
        return self._offset or 0.0

    def resume(self, pts: float, arrived: float) -> None:
        """Go on behind a frame that another timeline placed, as after a reconnection.

        Args:
            pts: seconds on this axis.
            arrived: monotonic seconds, those before this machine started included.
        """
        self._pts, self._arrived, self._delay = pts, arrived, arrived - pts

    def connect(self, *, live: bool) -> None:
        """A source starts anew; the next pts has nothing to do with the last one.

        Args:
            live: its frames come as time passes, so that a leap of its clock can be told.
        """
        self._offset = None
        self._live = live

    def place(self, source_pts: float, arrived: float) -> float:
        """The camera's pts in seconds, above every earlier one.

        Args:
            source_pts: seconds on the source's clock.
            arrived: monotonic seconds.
        """
        joins = self._offset is None
        if self._offset is None:
            self._offset = self._resumed(arrived) - source_pts
        elif self._pts is not None and self._has_jumped(source_pts, arrived):
            continued = self._pts + max(arrived - self._arrived, MIN_STEP_S)
            self._offset = continued - source_pts
        pts = source_pts + self._offset
        if self._pts is not None and pts <= self._pts:  # rounding on very large clocks
            pts = self._pts + MIN_STEP_S
        self._source_pts, self._pts, self._arrived = source_pts, pts, arrived
        self._measure(arrived, arrived - pts, joins=joins)
        return pts

    def _has_jumped(self, source_pts: float, arrived: float) -> bool:
        leap = source_pts - self._source_pts
        return leap <= 0 or (self._live and leap - (arrived - self._arrived) > MAX_JUMP_S)

    def _resumed(self, arrived: float) -> float:
        if self._pts is None:
            return 0.0
        return max(arrived - self._delay - self._burst, self._pts + MIN_STEP_S)

    def _measure(self, arrived: float, delay: float, *, joins: bool) -> None:
        if joins:
            self._joined = (arrived, delay)
        self._delay = min(self._delay, delay)
        began, first_delay = self._joined
        if arrived - began < _BURST_ENDS_S:
            self._burst = max(self._burst, first_delay - delay)
