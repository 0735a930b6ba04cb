"""Contenders of `lookout bench live` are honest: what should be the same, token for token, is."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager

import numpy as np
import torch

from benchmarks.live.contenders import Parts, opened
from benchmarks.live.film import Film
from benchmarks.live.rereading import Rereading
from benchmarks.live.rounds import say, turn
from benchmarks.live.serial import Serial
from benchmarks.live.stage import Stage
from benchmarks.live.stock import Stock, fitted
from core.frames import Frame
from models.preprocess import patchify
from stream.configuration import load_settings
from tests.models.oracle import generate, whole
from tests.tiny import ours, segment, stock, tokenizer

ASKED = "what do you see?"
TOKENS = 12
SIZE = (48, 64)
DENSE = (
    "pruning.policy.method=none", "pruning.budget=1000", "memory.capacity=2048",
    "engine.max_cameras=1", "engine.max_answers=2", "engine.reader=torch",
)  # fmt: skip


def hands(seed: int = 0) -> Stock:
    return Stock(stock(seed), tokenizer(), ours(seed).stop_ids, None)


def film(steps: int = 12) -> Film:
    pictures = [frame.pixels for n in range(steps) for frame in segment(n).frames]
    return Film(tuple(pictures), 4.0)


@asynccontextmanager
async def contenders(*names: str):
    parts = Parts(load_settings(DENSE), ours(), hands(), film())
    async with opened(names, parts) as found:
        yield found


async def answer(contender) -> list[int]:
    return list((await say(contender, ASKED, TOKENS)).ids)


async def test_the_last_four_frames_are_read_as_transformers_reads_them_in_one_go():
    contender = Rereading("last_4", hands(), SIZE, 4, 1)
    segments = [segment(n) for n in range(5)]
    for one in segments:
        assert await contender.watch(one) == 2
    said, _ = generate(whole(segments[-2:], ASKED), TOKENS)
    assert await answer(contender) == said
    other, _ = generate(whole(segments[-1:], ASKED), TOKENS)
    assert said != other  # what it read mattered


async def test_who_keeps_all_in_memory_says_what_rereading_everything_says():
    async with contenders("lookout", "everything", "serial") as all_three:
        answers = []
        for contender in all_three:
            for n in range(4):
                await contender.watch(segment(n))
            answers.append((await answer(contender), contender.read_tokens))
    assert answers[0] == answers[1] == answers[2]
    assert len(answers[0][0]) == TOKENS


async def test_no_answer_ends_early_or_is_changed_by_frames_that_come_meanwhile():
    async with contenders("lookout", "last_4", "everything", "serial") as found:
        for contender in found:
            stage = Stage(contender, film(), 10.0)
            await stage.fill(8)
            measured = await turn(stage, 0.6, TOKENS)
            assert measured.same
            assert len(measured.paused.ids) == TOKENS
            assert not set(measured.paused.ids) & hands().stops
            assert measured.speaking.first == 8 + measured.idle.frames
            assert stage.number == measured.speaking.first + measured.speaking.frames
            assert len(measured.speaking.entered) == measured.speaking.frames


async def test_what_an_answer_reads_is_settled_when_it_begins():
    async with contenders("lookout", "everything") as found:
        for contender in found:
            await contender.watch(segment(0))
            before = await answer(contender)
            async with contender.ask(ASKED, TOKENS) as words:
                await contender.watch(segment(1))
                assert [token async for token in words] == before
            assert await answer(contender) != before


async def test_the_serial_loop_watches_nothing_while_it_speaks():
    contender = Serial(hands(), ours())
    await contender.watch(segment(0))
    async with contender.ask(ASKED, TOKENS) as words:
        watching = asyncio.create_task(contender.watch(segment(1)))
        said = [token async for token in words]
        assert not watching.done()
    assert len(said) == TOKENS
    assert await watching == 2


async def test_the_serial_loop_holds_a_window_whose_positions_stay_where_they_are():
    contender = Serial(hands(), ours(), window_s=2.0)
    sizes, ends = [], []
    for n in range(24):
        await contender.watch(segment(n))
        sizes.append(contender.held_bytes)
        ends.append(contender._next)
    step = sizes[1] - sizes[0]
    assert max(sizes[5:]) - min(sizes[5:]) < step  # timestamps grow by a digit, nothing else
    assert max(ends[5:]) - min(ends[5:]) < ends[1] - ends[0]
    keys = contender._cache.layers[0].keys
    assert keys.shape[2] * contender._adapter.shape.bytes_per_token == contender.held_bytes


async def test_moving_a_window_up_leaves_what_it_would_have_been_there():
    """The first layer's keys depend on nothing before them: moved or computed there, they agree."""
    moved, there = (Serial(hands(), ours(), window_s=s) for s in (0.9, 100.0))
    for n in range(4):
        await moved.watch(segment(n))
    for n in (2, 3):
        await there.watch(segment(n))
    assert moved._next == there._next
    torch.testing.assert_close(
        moved._cache.layers[0].keys, there._cache.layers[0].keys, atol=1e-4, rtol=1e-4
    )


async def test_lookout_answers_after_a_skip_beyond_its_reach_as_if_it_had_just_begun():
    answers = []
    for skipped in (0, 40_000):
        async with contenders("lookout") as (contender,):
            await contender.watch(segment(0))
            await contender.skip(skipped)
            for n in range(1, 3):
                await contender.watch(segment(n))
            answers.append(await answer(contender))
    async with contenders("lookout") as (fresh,):
        for n in range(1, 3):
            await fresh.watch(segment(n))
        assert await answer(fresh) == answers[1]
    assert answers[0] != answers[1]  # nothing was forgotten without a skip


async def test_frames_are_resized_on_arrival_as_they_would_be_when_read():
    random = np.random.default_rng(3)
    frame = Frame(0.0, 0.0, random.integers(0, 256, (90, 130, 3), dtype=np.uint8))
    once, _ = patchify([frame.pixels] * 2, SIZE, patch=8)
    small = fitted(frame, SIZE)
    twice, _ = patchify([small.pixels] * 2, SIZE, patch=8)
    assert torch.equal(once, twice)
    assert fitted(small, SIZE) is small


async def test_a_full_speed_fill_skips_only_what_it_is_told_to():
    async with contenders("last_32") as (contender,):
        stage = Stage(contender, film(), 0.1)
        await stage.fill(10)
        assert (stage.number, stage.missed_s) == (10, 0.0)
        await stage.fill(50, most=6)
        assert (stage.number, stage.missed_s) == (50, 34 / 4)
        held = contender._frames
        assert [frame.pts for frame in held] == [n / 4 for n in range(44, 50)]
