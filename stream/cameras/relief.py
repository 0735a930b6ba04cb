"""What each rung of the ladder does to a camera: the numbers that its feed and the engine are told.

Half of each: frames per second, visual tokens per step, pixels. Nothing here waits or runs a model.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

from core.frames import Frame, Segment
from pruning.policy import Spending
from stream.cameras.ladder import RUNGS, Ladder, Rung
from stream.cameras.watching import Watching

log = logging.getLogger("lookout.camera")

HALF = 0.5
BEHIND = 1.01  # of its target lag at least lags who drops frames: its buffer is too small to say
WORTH = 0.75  # a smaller picture must bring the visual tokens down to this share to be worth it

StepTokens = Callable[[int, int], int]
"""Visual tokens of a temporal step of a picture (height, width); ValueError: of no picture."""


@dataclass(frozen=True, slots=True)
class Relieved:
    """What has been given up, for whoever looks at the camera."""

    rung: Rung
    given_up: tuple[Rung, ...]  # without what would change nothing
    changes: int
    frames_skipped: int


class Relief:
    """One camera's relief from overload. Touched on the event loop only.

    Args:
        name: of the camera, for the log.
        watching: how it is watched when nothing is given up.
        step_tokens: what the model makes of pictures.
        sample: told the frames per second to sample from now on.
    """

    def __init__(
        self,
        name: str,
        watching: Watching,
        step_tokens: StepTokens,
        sample: Callable[[float], None],
    ) -> None:
        self._name = name
        self._watching = watching
        self._sample = sample
        self._smaller = lru_cache(maxsize=8)(lambda h, w: smaller(step_tokens, h, w))
        self._ladder = None if watching.overload is None else Ladder(watching.overload)
        self._skipped = self._dropped = 0

    @property
    def state(self) -> Relieved:
        """What has been given up now."""
        if self._ladder is None:
            return Relieved(Rung.NONE, (), 0, 0)
        ladder = self._ladder
        given_up = tuple(rung for rung in RUNGS[1:] if ladder.gives_up(rung))
        return Relieved(ladder.rung, given_up, ladder.changes, self._skipped)

    @property
    def budget(self) -> int:
        """Visual tokens per temporal step, now."""
        budget = self._watching.budget
        return max(1, round(budget * HALF)) if self._gives_up(Rung.BUDGET) else budget

    @property
    def in_full(self) -> bool:
        """Whether what a segment makes is what it makes when nothing is given up."""
        return not (self._gives_up(Rung.BUDGET) or self._gives_up(Rung.PICTURE))

    @property
    def skips(self) -> bool:
        """Whether frames that wait are passed over."""
        return self._gives_up(Rung.SKIP)

    def note(self, segment: Segment, now: float, dropped: int = 0) -> bool:
        """A segment is in memory; whether something was given up or taken back.

        Args:
            segment: live; what is held back for its reader does not lag.
            now: monotonic seconds.
            dropped: frames of the camera that gave way so far. Where some did since the segment
                before, it lags by more than can be seen of those that did not.
        """
        if self._ladder is None or self._watching.overload is None:
            return False
        newest = segment.frames[-1]
        before, lag = self._ladder.rung, now - newest.arrived
        trouble = f"lags {lag:.1f} s"
        if dropped > self._dropped:
            lag = max(lag, BEHIND * self._watching.overload.target_lag_s)
            trouble += f" and dropped {dropped - self._dropped} frames"
        self._dropped = dropped
        useless = self._useless(*newest.pixels.shape[:2])
        self._ladder.leave_out(useless)
        if not self._ladder.note(lag, now):
            return False
        fps = self._watching.fps
        self._sample(fps * HALF if self._gives_up(Rung.FPS) else fps)
        beside = f" ({', '.join(sorted(useless))} would change nothing)" if useless else ""
        rung, name = self._ladder.rung, self._name
        if RUNGS.index(rung) > RUNGS.index(before):
            log.warning("camera %s %s: %s -> %s%s", name, trouble, before, rung, beside)
        else:
            log.info("camera %s lags less, takes back: %s -> %s%s", name, before, rung, beside)
        return True

    def pick(self, frames: list[Frame], per_step: int) -> list[Frame]:
        """Of the frames that waited, those that are watched: all, or the newest step's.

        Args:
            frames: in order.
            per_step: frames of a temporal step.
        """
        passed = max(0, len(frames) - per_step) if self.skips else 0
        self._skipped += passed
        return frames[passed:]

    def picture(self, segment: Segment) -> tuple[int, int] | None:
        """(height, width) that the model is to see a segment at: half the pixels; None: all."""
        if not self._gives_up(Rung.PICTURE):
            return None
        return self._smaller(*segment.frames[0].pixels.shape[:2])

    def _gives_up(self, rung: Rung) -> bool:
        return self._ladder is not None and self._ladder.gives_up(rung)

    def _useless(self, height: int, width: int) -> set[Rung]:
        """Rungs that would change nothing here, or cost more than they bring."""
        useless, watching = set(), self._watching
        if watching.budget == 1 or watching.policy.spending is Spending.OWN:
            useless.add(Rung.BUDGET)
        # Another size would empty the bank that answers choose from.
        if watching.selecting is not None or self._smaller(height, width) is None:
            useless.add(Rung.PICTURE)
        return useless


def smaller(step_tokens: StepTokens, height: int, width: int) -> tuple[int, int] | None:
    """(height, width) of half the pixels; None if the model would make as much of them.

    A model that knows one size only makes all pictures that size again.
    """
    side = math.sqrt(HALF)
    size = max(1, round(height * side)), max(1, round(width * side))
    try:
        worth = step_tokens(*size) <= WORTH * step_tokens(height, width)
    except ValueError:
        return None
    return size if worth else None
