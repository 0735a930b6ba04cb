"""One rising media time per camera, over reconnections and over clocks that jump."""

from __future__ import annotations

MAX_JUMP_S = 10.0  # a live source that leaps further ahead has changed its clock
MIN_STEP_S = 0.001


class Timeline:
    """Places the pts of one source after another on one axis that starts at 0 and only rises.

    Inside a connection differences of pts are kept. At a new connection, when pts do not rise, and
    when those of a live source leap by more than `MAX_JUMP_S`, the axis goes on by the monotonic
    time that has passed since the last frame.
    """

    def __init__(self) -> None:
        self._offset: float | None = None
        self._live = True
        self._source_pts = 0.0
        self._pts: float | None = None
        self._arrived = 0.0

    def connect(self, *, live: bool) -> None:
        """A source starts anew; the next pts has nothing to do with the last one."""
        self._offset = None
        self._live = live

    def place(self, source_pts: float, arrived: float) -> float:
        """The camera's pts in seconds, above every earlier one.

        Args:
            source_pts: seconds on the source's clock.
            arrived: monotonic seconds.
        """
        leap = source_pts - self._source_pts
        broken = self._offset is None or leap <= 0 or (self._live and leap > MAX_JUMP_S)
        if self._offset is None or broken:
            self._offset = self._continued(arrived) - source_pts
        pts = source_pts + self._offset
        if self._pts is not None and pts <= self._pts:  # rounding on very large clocks
            pts = self._pts + MIN_STEP_S
        self._source_pts, self._pts, self._arrived = source_pts, pts, arrived
        return pts

    def _continued(self, arrived: float) -> float:
        if self._pts is None:
            return 0.0
        return self._pts + max(arrived - self._arrived, MIN_STEP_S)
