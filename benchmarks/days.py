"""`lookout bench memory --days 7`: whether the seventh day costs what the first one does.

Each preset watches three streams: one has just begun, one runs for a day and one for a week. Of
each equally many steps are really seen, spread over its days; between two days clock and positions
jump. Then all take turns with the same segment and the same question, so that whatever else the
machine does hits all alike. A clock of more digits makes a few tokens more per step.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from benchmarks.footage import Footage
from benchmarks.report import Row
from benchmarks.turns import Cost, Look, costs, look
from engine.side_by_side import Place, SideBySide
from models.vlm import VideoLanguageModel
from pruning.policy import PruningPolicy

WATCHED: Final = 192  # temporal steps of each stream that are really seen: all memories are full
_DAY: Final = 86_400.0


@dataclass(frozen=True, slots=True)
class _Stream:
    """One preset's memory on one day."""

    preset: str
    day: int

    @property
    def name(self) -> str:
        """In the comparison."""
        return f"{self.preset} after {self.day} days"


def measure(
    model: VideoLanguageModel,
    film: Footage,
    places: Sequence[Place],
    pruning: tuple[PruningPolicy, int],
    *,
    days: int,
    rounds: int,
    page_size: int,
) -> list[Row]:
    """What every preset costs on the first day, after one day, and after so many.

    Args:
        model: what watches.
        film: segments of one temporal step each; they repeat.
        places: one of each preset.
        pruning: policy and budget of visual tokens per step.
        days: at least 1.
        rounds: segments timed.
        page_size: slots per page.
    """
    ages = sorted({0, 1, days})
    streams = [_Stream(place.name, day) for place in places for day in ages]
    by_name = {place.name: place for place in places}
    with SideBySide(
        model,
        [replace(by_name[stream.preset], name=stream.name) for stream in streams],
        *pruning,
        segment_steps=1,
        answers=1,
        page_size=page_size,
    ) as memories:
        memories.open(memories.places)
        for stream in streams:
            _watch(memories, film, stream)
        coming = [
            {stream.name: _look(film, stream, WATCHED + number) for stream in streams}
            for number in range(rounds)
        ]
        return _rows(memories, streams, costs(memories, coming))


def _watch(memories: SideBySide, film: Footage, stream: _Stream) -> None:
    """See what is seen of all days; jump whenever one is over."""
    memory, passed = memories.memory(stream.name), 0
    for number in range(WATCHED):
        day, before = _day(stream, number), memory.next_position
        segment, tokens = _look(film, stream, number)
        memory.next_position += (day - passed) * _positions(film)
        memories.perceive(segment, {stream.name: tokens})
        assert memory.next_position > before
        passed = day


def _look(film: Footage, stream: _Stream, number: int) -> Look:
    """The n-th step of those that are seen, at its time of its day."""
    return look(film, number, _day(stream, number) * _DAY + number * _step_seconds(film))


def _day(stream: _Stream, number: int) -> int:
    """0 at first, and the stream's own in the last part of what is seen."""
    return min(stream.day, number * (stream.day + 1) // WATCHED)


def _step_seconds(film: Footage) -> float:
    frames = film.segments[0].frames
    return len(frames) * (frames[1].pts - frames[0].pts)


def _positions(film: Footage) -> int:
    """That a day takes which is watched without a break; markers and time are some more."""
    grid = film.tokens[0].grid
    return round(_DAY / _step_seconds(film)) * (max(grid.h, grid.w) + 12)


def _rows(memories: SideBySide, streams: Sequence[_Stream], found: Mapping[str, Cost]) -> list[Row]:
    rows: list[Row] = []
    for stream in streams:
        cost, first = found[stream.name], found[_Stream(stream.preset, 0).name]
        memory = memories.memory(stream.name)
        back = memory.next_position - int(memory.tokens.positions.min())
        rows.append(
            {
                "days": stream.day,
                "preset": stream.preset,
                "next_position": memory.next_position,
                "farthest_positions_back": back,
                "held_tokens": memory.held,
                "held_bytes": memories.held_bytes(stream.name),
                "ms_per_segment": cost.segment,
                "segment_times_day_0": cost.segment / first.segment,
                "ms_to_first_token": cost.first_token,
                "first_token_times_day_0": cost.first_token / first.first_token,
            }
        )
    return rows
