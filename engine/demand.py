"""What cameras need of the engine together: its time, and how long their frames wait for it. Pure.

Whoever is busy works in full steps, and all who share a step share its fixed part. Three things can
run out. Time: cameras need so much of every second. Rounds: a camera has one segment on its way,
which takes a step to be seen, one to be read, and the one that had begun when the next came; what
arrives meanwhile must fit into the next segment. Patience: the frames of all cameras may come at
once, again and again, and the last of them waits for all others.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from engine.pace import Cost

ROUND: Final = 3.0  # steps from one segment of a camera to its next


@dataclass(frozen=True, slots=True)
class Stream:
    """What is due of a camera."""

    fps: float
    encoded: float  # visual tokens per frame
    prefilled: float  # tokens per frame


@dataclass(frozen=True, slots=True)
class Room:
    """How much the engine takes on at a time.

    Args:
        prefill_tokens: of a full step.
        encode_tokens: visual tokens of a full step.
        full_ms: that a full step takes at most.
        step_frames: frames of the smallest segment.
        segment_frames: of the largest.
    """

    prefill_tokens: int
    encode_tokens: int
    full_ms: float
    step_frames: int = 2
    segment_frames: float = math.inf

    def load(self, stream: Stream, cost: Cost) -> float:
        """Share of the engine's time that a camera needs, with its share of the fixed parts."""
        return stream.fps * self._frame_ms(stream, cost) / 1000

    def round_s(self, streams: Sequence[Stream], cost: Cost, most: float) -> float:
        """Seconds from one segment of a camera to its next, while all need so much.

        Args:
            streams: all cameras.
            cost: of steps.
            most: share of the engine's time that is theirs.
        """
        work = sum(one.fps * _work_ms(one, cost) for one in streams) / 1000
        steps = min(ROUND, len(streams))  # a camera alone shares no step, and waits for none
        return math.inf if work >= most else steps * cost.step / (1 - work / most) / 1000

    def longest_round_s(self, stream: Stream) -> float:
        """Seconds in which no more comes of a camera than one segment holds."""
        return self.segment_frames / stream.fps if stream.fps > 0 else math.inf

    def burst_s(self, streams: Sequence[Stream], cost: Cost) -> float:
        """Seconds until all is in memory if the smallest segments of all cameras come at once."""
        frames = sum(self._frame_ms(one, cost) for one in streams if one.fps > 0)
        last = min(self.full_ms, self.step_frames * frames)  # in which it is read, full of others'
        return (self.step_frames * frames + 2 * cost.step + last) / 1000

    def _frame_ms(self, stream: Stream, cost: Cost) -> float:
        ms = _work_ms(stream, cost)
        room = max(self.full_ms - cost.step, cost.step)  # as `engine.pace` leaves it
        by_time = ms / room if room > 0 else 0.0
        by_tokens = stream.prefilled / self.prefill_tokens, stream.encoded / self.encode_tokens
        return ms + cost.step * max(by_time, *by_tokens)


def _work_ms(stream: Stream, cost: Cost) -> float:
    """Milliseconds of a frame, without a part of what is fixed."""
    return cost.prefilled * stream.prefilled + cost.encoded * stream.encoded
