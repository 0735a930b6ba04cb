"""Pairs of a watched answer and paused ones: what they compare, and how sure they are."""

from __future__ import annotations

import asyncio
import time
from contextlib import asynccontextmanager
from random import Random

import numpy as np
import pytest

from benchmarks.live.intervals import median_interval, share_interval
from benchmarks.live.pairs import Pair, pair
from benchmarks.live.rounds import Said, turn
from benchmarks.live.shown import judged
from benchmarks.live.stage import Phase, Stage
from tests.benchmarks.test_live_laws import contenders, film
from tests.waiting import eventually

TOKENS = 12


class Clockwork:
    """A contender that says one token every few milliseconds and watches in no time."""

    name = "clockwork"
    grows = False
    read_tokens = held_bytes = answer_bytes = 0

    def __init__(self, gap_s: float) -> None:
        self.gap_s = gap_s
        self.asked: list[tuple[int, int]] = []  # for how many tokens, and segments seen by then
        self.seen: list[float] = []  # when a segment came

    async def watch(self, segment) -> int:
        self.seen.append(time.monotonic())
        return len(segment.frames)

    async def skip(self, frames) -> None:
        """Nothing is held."""

    @asynccontextmanager
    async def ask(self, question, tokens):
        self.asked.append((tokens, len(self.seen)))

        async def words():
            for token in range(tokens):
                await asyncio.sleep(self.gap_s)
                yield token

        yield words()


def said(gap_s: float, ids: tuple[int, ...] = (1, 2, 3), asked: float = 0.0) -> Said:
    return Said(ids, asked, 0.01, (gap_s,) * (len(ids) - 1))


def made(before: float, watched: float, after: float) -> Pair:
    return Pair(said(before), said(watched), said(after), Phase(4.0, 0.05))


def test_a_pair_says_how_many_fewer_tokens_a_second_are_said_than_with_the_stream_paused():
    assert made(0.02, 0.04, 0.02).slower == pytest.approx(0.5)
    assert made(0.02, 0.02, 0.02).slower == pytest.approx(0.0)
    assert made(0.04, 0.02, 0.04).slower == pytest.approx(-1.0)


@pytest.mark.parametrize("drift", [-0.004, 0.004])
def test_a_machine_that_steadily_changes_its_pace_counts_for_neither_side(drift):
    assert made(0.02 - drift, 0.02, 0.02 + drift).slower == pytest.approx(0.0)


def test_an_answer_is_the_same_only_token_for_token():
    phase = Phase(4.0, 0.05)
    assert Pair(said(0.02), said(0.03), said(0.02, (4, 5, 6)), phase).same
    assert not Pair(said(0.02), said(0.03, (1, 2, 4)), said(0.02), phase).same


def test_only_frames_due_while_the_watched_answer_is_spoken_count():
    phase = Phase(fps=4.0, slack_s=0.05, first=0, began=100.0, frames=6)
    phase.entered = {0: 100.3, 1: 100.3, 2: 101.5, 3: 101.5, 4: 101.3, 5: 101.3}
    spoken = said(0.5, asked=100.1)  # until 101.11: the third step is whole at 101.25
    assert Pair(spoken, spoken, spoken, phase).judged == (4, 2)


async def test_what_is_watched_begins_and_ends_with_the_answer_between_two_paused_ones():
    contender = Clockwork(0.002)
    stage = Stage(contender, film(), 0.05)
    for number in range(4):
        found = await pair(stage, 60, Random(number))
        began, ended = found.watched.span
        due, late = found.judged
        assert found.phase.frames % 2 == 0
        assert stage.number == found.phase.first + found.phase.frames
        # The first step is whole at some time within a step's length of the answer's beginning.
        whole = found.phase.began + 1 / 4.0
        assert -0.05 < whole - began < 2 / 4.0 + 0.05
        assert (due > 0) == (whole < ended)
        assert late <= due
    before = [seen for _, seen in contender.asked]
    # An unheard answer, a paused one and the watched one are asked at the same state.
    assert all(len(set(before[n : n + 3])) == 1 for n in range(0, 16, 4))


async def test_an_answer_begins_at_the_moment_of_a_step_that_was_drawn():
    late = next(n for n in range(1000) if Random(n).uniform(0, 2) > 1.9)  # frames of a step
    stage = Stage(Clockwork(0.001), film(), 0.5)
    found = await pair(stage, 4, Random(late))
    to_come = (Random(late).uniform(0, 2) - 1) / stage.film.fps
    assert found.phase.began - found.watched.asked >= to_come > 0.2


async def test_a_turn_that_lasts_asks_some_short_questions_and_then_for_long_answers_only():
    contender = Clockwork(0.001)
    found = await turn(Stage(contender, film(), 0.05), 4.0, 3)
    asked = [tokens for tokens, _ in contender.asked]
    assert set(asked) == {1, 3}
    assert asked.count(1) < 48  # at some milliseconds each there was time for more
    assert len(found.ttft_s) == len(asked) - 1  # but for the paused one
    due, late = found.judged
    assert late <= due <= found.speaking.frames


async def test_a_brief_stream_does_not_wait_for_frames_that_nobody_is_asked_about():
    stage = Stage(Clockwork(0.001), film(), 0.05)
    began = time.monotonic()
    async with stage.playing(-30.0, brief=True) as phase:
        pass
    assert time.monotonic() - began < 20.0  # half a minute until the first frame would come
    assert phase.frames == stage.number == 2
    assert len(phase.entered) == 2


async def test_a_stream_that_has_run_before_gives_at_once_what_it_would_have_given():
    stage = Stage(Clockwork(0.001), film(), 0.05)
    async with stage.playing(30 / 4.0, brief=True) as phase:
        await eventually(lambda: phase.frames >= 30, within_s=7.0)  # in real time it takes longer
    assert phase.judged([(phase.began, phase.began + 29.5 / 4.0)])[0] == 30


@pytest.mark.parametrize("name", ["lookout", "serial", "last_4"])
async def test_no_real_contender_says_anything_else_because_it_watches(name):
    async with contenders(name) as (contender,):
        stage = Stage(contender, film(), 10.0)
        await stage.fill(8)
        for number in range(2):
            found = await pair(stage, TOKENS, Random(number))
            assert found.same
            assert len(found.after.ids) == TOKENS
            assert found.phase.first + found.phase.frames == stage.number


def test_the_interval_of_a_median_holds_the_true_one_as_often_as_it_says():
    random = np.random.default_rng(1)
    held = 0
    for number in range(200):
        low, high = median_interval(list(random.normal(5.0, 3.0, 30)), number)
        held += low <= 5.0 <= high
    assert 0.90 * 200 <= held <= 0.99 * 200
    assert median_interval([7.0]) == (7.0, 7.0)


def test_the_interval_of_a_share_has_the_textbook_values():
    assert share_interval(0, 1000) == pytest.approx((0.0, 0.003827), abs=1e-6)
    assert share_interval(15, 148) == pytest.approx((0.0624, 0.1605), abs=1e-4)
    assert share_interval(10, 10)[1] == 1.0
    assert share_interval(0, 0) == (0.0, 1.0)


@pytest.mark.parametrize(
    ("pairs", "slower", "late", "said"),
    [
        (40, (2.0, 9.0), (0.0, 0.4), ("slower: met (40 pairs)", "answers: met (0 of 1000)")),
        (40, (16.0, 19.0), (0.6, 2.0), ("slower: missed (40", "answers: missed (0")),
        (40, (12.0, 19.0), (0.0, 3.0), ("slower: open, the", "answers: open, the")),
        (3, (2.0, 9.0), (0.0, 0.4), ("slower: too few pairs to say (3 pairs)", "answers: met")),
    ],
)
def test_a_goal_is_met_or_missed_only_if_the_whole_interval_says_so(pairs, slower, late, said):
    total = {
        "contender": "lookout", "pairs": pairs, "long_frames_due": 1000, "long_frames_late": 0,
        "decode_slower_percent_low": slower[0], "decode_slower_percent_high": slower[1],
        "long_late_percent_low": late[0], "long_late_percent_high": late[1],
    }  # fmt: skip
    assert all(part in judged(total) for part in said)
