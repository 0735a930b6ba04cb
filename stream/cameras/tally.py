"""What a camera counts about its memory, and how far it lags behind."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, field

from core.frames import Segment
from core.histogram import Histogram
from core.kept import KeptStep
from engine.requests import Perceived
from memory.recall.tiers import Holdings

LAGS = 512  # newest segments that the percentile is taken over


@dataclass(slots=True)
class Tally:
    """Counters of one camera; touched on the event loop only."""

    segments: int = 0
    lost: int = 0  # segments that an error took
    frames_remembered: int = 0
    tokens_encoded: int = 0
    tokens_kept: int = 0
    held: int = 0
    seen: int = 0
    newest_pts: float | None = None  # of the newest remembered frame
    newest_arrived: float | None = None
    lag_s: float | None = None
    kept: KeptStep | None = None  # of the newest remembered step
    archived: Holdings | None = None
    lags: Histogram = field(default_factory=Histogram)  # all of them, seconds
    _lags: deque[float] = field(default_factory=lambda: deque(maxlen=LAGS))
    _arrivals: deque[tuple[float, float]] = field(default_factory=deque)  # (pts, arrived)

    def sent(self, segment: Segment | None) -> None:
        """A segment is on its way."""
        if segment is not None:
            self._arrivals.extend((frame.pts, frame.arrived) for frame in segment.frames)

    def remembered(self, segment: Segment | None, result: Perceived, now: float) -> None:
        """A segment is in memory, or at least the frames of it that could be decided about.

        Args:
            segment: None for the end of a stream, when only what was held back comes in.
            result: what the engine says.
            now: monotonic seconds.
        """
        self.segments += segment is not None
        self.frames_remembered += result.frames
        self.tokens_encoded += result.encoded
        self.tokens_kept += result.kept
        self.held, self.seen, self.archived = result.held, result.seen, result.archived
        self.kept = result.steps[-1] if result.steps else self.kept
        for _ in range(min(result.frames, len(self._arrivals))):
            self.newest_pts, self.newest_arrived = self._arrivals.popleft()
        if result.frames and self.newest_arrived is not None:
            self.lag_s = now - self.newest_arrived
            self._lags.append(self.lag_s)
            self.lags.note(self.lag_s)

    def forgot(self, segment: Segment | None) -> None:
        """A segment was lost on its way."""
        self.lost += segment is not None
        for _ in range(len(segment.frames) if segment is not None else 0):
            self._arrivals.pop()

    def age(self, now: float) -> float | None:
        """Seconds since the newest remembered frame arrived; None before the first."""
        return None if self.newest_arrived is None else now - self.newest_arrived

    def lag_percentile(self, share: float) -> float | None:
        """Lag in seconds that `share` of the newest segments did not exceed (nearest rank)."""
        if not self._lags:
            return None
        ranked = sorted(self._lags)
        return ranked[max(0, math.ceil(share * len(ranked)) - 1)]
