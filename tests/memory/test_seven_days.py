"""A week of stream, by a clock that jumps: what a segment and an answer cost stays what it was.

Nothing here is timed. What time and bytes follow from is counted: tokens that run through the
model, keys that they look at, how far back these lie, pages, bytes of the archive and of all
tensors, and what Python itself holds. Between two days the clock and the positions jump by a day.
"""

from __future__ import annotations

import gc
import sys
import tracemalloc
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache

import pytest
import torch
from torch import Tensor

from engine.recalling import Recalling
from engine.side_by_side import Place, SideBySide
from memory.codecs.block import Block
from memory.policies.hermes import Hermes
from memory.policies.sink_window import SinkWindow
from memory.readers.reader import Plan
from memory.readers.torch_reader import TorchReader
from memory.recall.gate import Always
from models.qwen3_vl import MARKERS, Qwen3VL
from pruning.none import Dense
from stream.settings import MemorySettings
from tests.tiny import ours, segment

torch.set_num_threads(1)

SECONDS = 86_400.0
POSITIONS = 40 * 86_400  # as many as a day of small pictures at 2 frames a second takes
PICTURES = 6  # they repeat
STEPS = 4 * PICTURES  # really watched of each day; a memory is full long before
CAPACITY = 160
ARCHIVE = 400_000  # bytes, a small part of a day
WEEK = range(8)
# From the second day to the end of the eleventh a clock of seconds has six digits.
SAME_DIGITS = range(2, 8)
GROWTH = 4096  # bytes of Python's in three days; less than 60 for each segment
NEARLY = 0.1  # by what part that depends on what was chosen may be more in three days than before
PLACES = [
    Place("default", MemorySettings().policy, CAPACITY),
    Place("per_head", Hermes(), CAPACITY),
    Place("archive", SinkWindow(), CAPACITY, Recalling(Block(), Always(), ARCHIVE, 64)),
]


class Counting(TorchReader):
    """Counts what goes through the model, and what it looks at."""

    def __init__(self) -> None:
        self.counts = [0, 0, 0]

    def read(self, plan: Plan, layer: int, query: Tensor, scale: float) -> Tensor:
        """See `Reader.read`."""
        if layer == 0:
            sides = [side for span in plan.spans for side in (span.memory, span.scratch)]
            keys = sum(side.length for side in sides if side is not None)
            counted = zip(self.counts, (1, len(query), keys), strict=True)
            self.counts = [a + b for a, b in counted]
        return super().read(plan, layer, query, scale)

    def taken(self) -> tuple[int, ...]:
        """Forwards, tokens and keys since the last time."""
        taken, self.counts = tuple(self.counts), [0, 0, 0]
        return taken


@dataclass(frozen=True)
class Cost:
    """What watching and answering take at the end of a day."""

    segment: tuple[int, ...]  # forwards, tokens, keys looked at
    words: tuple[int, ...]  # forwards and tokens until a question's first token
    held: int
    back: int  # positions to the farthest that is held
    pages: tuple[int, int]  # free, unpromised


@dataclass(frozen=True)
class Chosen:
    """What depends on the choice of a policy or a question too."""

    keys: int  # that a question looks at until its first token
    table: int  # rows of the table of tokens
    archived: int  # bytes
    steps: int  # of the archive
    tensors: int  # bytes of all that Python knows of, what is archived left out


class Stream:
    """One memory that watches day after day."""

    def __init__(self, place: Place, model: Qwen3VL | None = None) -> None:
        self.name, self.reader = place.name, Counting()
        self.side = SideBySide(
            model or ours(), [place], Dense(), 12,
            segment_steps=1, answers=1, words=4, reader=self.reader,
        )  # fmt: skip
        self.side.open([place.name])
        self.memory = self.side.memory(place.name)

    def watch(self, day: int) -> tuple[Cost, Chosen]:
        """A day of which little is seen; what the last segment and a question after it took."""
        self.memory.next_position += POSITIONS if day else 0
        for number in range(STEPS):
            self.reader.taken()
            self.look(number, day * SECONDS + 3 * number)
        segment, memory, archive = self.reader.taken(), self.memory, self.memory.archive
        self.side.ask([(self.name, "what do you see?")], 1)
        *words, keys = self.reader.taken()
        back = memory.next_position - int(memory.tokens.positions.min())
        pages = self.side.pool.free, self.side.pool.unpromised
        archived = 0 if archive is None else archive.bytes
        gc.collect()
        tensors = sum(x.nbytes for x in gc.get_objects() if type(x) is torch.Tensor)
        return Cost(segment, tuple(words), memory.held, back, pages), Chosen(
            keys,
            len(memory.tokens),
            archived,
            0 if archive is None else len(archive.steps),
            tensors - archived,
        )

    def look(self, number: int, time: float) -> None:
        """One temporal step."""
        pictures, tokens = pieces()[number % PICTURES]
        self.side.perceive(pictures, {self.name: replace(tokens, times=(time + 0.2,))})


@cache
def pieces():
    """Some segments and their visual tokens."""
    pictures = [segment(i) for i in range(PICTURES)]
    return list(zip(pictures, ours().encode(pictures), strict=True))


def stamp(day: int) -> int:
    """Tokens of the last step of a day that say its time."""
    last = replace(pieces()[-1][1], times=(day * SECONDS + 3 * (STEPS - 1) + 0.2,))
    return len(ours().lay_steps(last, 0)) - len(last)


def python_holds() -> int:
    """Bytes that were allocated since tracing began and are held.

    CPython keeps up to 4096 names of attributes in a cache; libraries that look some up by names
    made anew each time fill it slowly, which is no growth of ours.
    """
    gc.collect()
    sys._clear_type_cache()
    return tracemalloc.get_traced_memory()[0]


def growth(found: Sequence[int]) -> int:
    """By how much the most of the last three days exceeds that of the three before."""
    return max(found[-3:]) - max(found[-6:-3])


@pytest.fixture
def tracing():
    """From before anything is made: what takes the place of something unseen is no growth."""
    tracemalloc.start()
    yield
    tracemalloc.stop()


@pytest.mark.parametrize("place", PLACES, ids=lambda place: place.name)
def test_from_the_second_day_to_the_seventh_nothing_grows(place, tracing):
    stream, costs, chosen, python = Stream(place), [], [], []
    with stream.side:
        for day in WEEK:
            cost, of_choice = stream.watch(day)
            costs.append(cost)
            chosen.append(of_choice)
            python.append(python_holds())
        assert len({stamp(day) for day in SAME_DIGITS}) == 1
        assert len({costs[day] for day in SAME_DIGITS}) == 1
        assert growth(python) < GROWTH
        for name in ("keys", "table", "tensors", "steps"):
            values = [getattr(each, name) for each in chosen]
            assert growth(values) <= NEARLY * max(values[-6:-3]), name
        for cost, of_choice in zip(costs, chosen, strict=True):
            assert cost.held <= CAPACITY
            assert cost.back <= stream.memory.reach.positions
            assert cost.pages == costs[0].pages
            assert of_choice.archived <= ARCHIVE
        assert stream.memory.seen > 10 * CAPACITY
        if place.recalling is not None:
            assert stream.memory.archive.forgotten > 2 * STEPS, "it was full"
            assert chosen[-1].keys > 2 * costs[-1].held, "it was read"


def test_what_a_segment_takes_grows_by_the_digits_of_its_time_alone():
    stream = Stream(PLACES[0])
    with stream.side:
        bare = {stream.watch(day)[0].segment[1] - stamp(day) for day in (0, 1, 2, 7)}
    assert len(bare) == 1
    assert stamp(0) < stamp(1) < stamp(2) == stamp(7) <= MARKERS


class TestNegativeControls:
    """What the tests above must notice."""

    def test_a_hundred_bytes_more_for_every_segment_are_noticed(self, tracing):
        kept, python = [], []

        class Leaking(Stream):
            def look(self, number: int, time: float) -> None:
                kept.append(str(time) * 10)
                super().look(number, time)

        stream = Leaking(PLACES[0])
        with stream.side:
            for day in range(2, 8):
                stream.watch(day)
                python.append(python_holds())
        assert growth(python) > GROWTH

    def test_a_memory_larger_than_what_comes_grows_and_so_does_all_it_costs(self):
        stream = Stream(Place("large", SinkWindow(), 4000), Endless())
        with stream.side:
            (first, of_first), (second, of_second) = stream.watch(2), stream.watch(3)
        assert second.held > 1.5 * first.held
        assert second.segment[2] > 1.5 * first.segment[2]
        assert second.pages < first.pages
        assert first.back < POSITIONS < second.back
        for name in ("keys", "table", "tensors"):
            grown = getattr(of_second, name) - getattr(of_first, name)
            assert grown >= second.held - first.held, name


class Endless(Qwen3VL):
    """The tiny model, as if it had been made to look back however far."""

    def __init__(self) -> None:
        vars(self).update(vars(ours()))
        self.reach = None
