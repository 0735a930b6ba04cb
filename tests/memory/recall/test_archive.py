"""What the archive promises: bytes, order, a past that thins, and what comes back."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from memory.codecs.block import TOKENS, Block
from memory.codecs.codec import Codec, Coder, Planes, Shape
from memory.codecs.plain import Plain
from memory.recall.archive import Archive
from memory.recall.step import Step, thaw
from tests.memory.failing import Exhausted
from tests.memory.recall.steps import ROTATION, SHAPE, landmarks, opened, put, step

torch.set_num_threads(1)


def archive(capacity: int = 3 * 10**6, codec: Codec | None = None) -> Archive:
    return Archive(codec or Plain(), ROTATION, SHAPE, capacity)


def least(kept: Archive) -> int:
    """Bytes, summed from the parts."""
    runs = {id(one.run): one.run.nbytes for one in opened(kept)}
    return sum(runs.values()) + landmarks(kept).nbytes if runs else 0


@given(
    capacity=st.integers(1, 20_000),
    sizes=st.lists(st.lists(st.integers(1, 30), min_size=1, max_size=4), min_size=1, max_size=12),
)
@settings(max_examples=30)
def test_bytes_never_exceed_the_capacity_and_are_those_of_what_is_held(capacity, sizes):
    kept, number = archive(capacity), 0
    for batch in sizes:
        put(kept, *(step(number + i, places) for i, places in enumerate(batch)))
        number += len(batch)
        assert least(kept) <= kept.bytes <= capacity
        times = [one.time for one in kept.steps]
        assert times == sorted(times)
        assert len(times) == len(set(times)) == number - kept.forgotten


def test_a_capacity_below_that_of_one_step_holds_nothing_and_goes_on():
    kept = archive(100)
    for number in range(5):
        put(kept, step(number))
        assert (kept.steps, kept.bytes, kept.forgotten) == ((), 0, number + 1)


def test_a_capacity_of_less_than_a_run_keeps_the_newest_steps():
    alone = archive()
    put(alone, step(0))
    kept = archive(4 * alone.bytes - 1)
    for number in range(9):
        put(kept, step(number))
    assert [one.time for one in kept.steps] == [6.0, 7.0, 8.0]


def test_steps_opened_before_are_not_changed_by_what_is_put_later():
    kept = archive(30_000, Block())
    for number in range(20):
        put(kept, step(number, 12))
    taken = opened(kept)
    before = [(one.time, x.keys.clone(), x.values.clone()) for one, x in _with_thawed(taken)]
    for number in range(20, 120):
        put(kept, step(number, 12))
    assert kept.forgotten > 20
    assert {one.time for one in taken} - {one.time for one in kept.steps}, "some were forgotten"
    for (one, now), (time, keys, values) in zip(_with_thawed(taken), before, strict=True):
        assert one.time == time
        assert torch.equal(now.keys, keys)
        assert torch.equal(now.values, values)


def test_what_is_put_is_copied():
    kept, one = archive(), step(0)
    keys, values = one.keys, one.values.clone()
    kept.put(keys, values, one.tokens)
    keys.zero_()
    values.zero_()
    one.tokens.positions[:] = 0
    (thawed,) = thaw(opened(kept))
    assert torch.equal(thawed.values, one.values)
    assert int(thawed.positions.max()) > 0


def test_plain_gives_back_what_was_put_bit_for_bit_and_rotates_it_to_where_it_stood():
    kept, seen = archive(), [step(n, 1 + n % 9, base=10**7 + 20 * n) for n in range(40)]
    for one in seen:
        put(kept, one)
    assert any(len({id(x.run) for x in kept.steps[i : i + 2]}) == 1 for i in range(10)), "in runs"
    for one, found, held in zip(seen, thaw(opened(kept)), kept.steps, strict=True):
        assert torch.equal(found.values, one.values)
        assert found.positions.tolist() == one.tokens.positions.tolist()
        assert (found.keys - one.bare).abs().max() < 1e-5, "one turn and back"
        again = ROTATION.put(found.keys, found.positions)
        assert (again - one.keys).abs().max() < 1e-5
        assert (held.base, held.base + held.size) == (
            int(one.tokens.positions.min()),
            int(one.tokens.positions.max()) + 1,
        )


@pytest.mark.parametrize("bits", [2, 4])
def test_the_block_codec_loses_no_more_of_a_group_than_half_the_widest_step(bits):
    """A group is a channel of a head; the widest step, a power of 2 ** 0.25, spans its ends."""
    kept, seen = archive(codec=Block(bits)), [step(n, 15) for n in range(4)]  # 64 tokens: one block
    for one in seen:
        put(kept, one)
    assert len({id(one.run) for one in kept.steps}) == 1
    found = thaw(opened(kept))
    for name, wanted in (("keys", [x.bare for x in seen]), ("values", [x.values for x in seen])):
        whole = torch.cat(wanted, 2)
        back = torch.cat([getattr(x, name) for x in found], 2)
        widest = (whole.amax(2) - whole.amin(2)) / (2**bits - 1) * 2**0.25
        error = (back - whole).square().mean(2).sqrt()
        assert (error <= widest / 2 * 1.02).all(), "2 percent for a centre in bfloat16"
        lost = (back - whole).square().sum() / whole.square().sum()
        assert lost < {2: 0.2, 4: 0.02}[bits]
        assert lost > 1e-6, "or nothing was packed"


@pytest.mark.parametrize("places", [4, 8, 25, 60])
def test_what_is_gathered_is_frozen_as_soon_as_it_fills_blocks(places):
    kept = archive(codec=Block())
    for number in range(TOKENS):
        put(kept, step(number, places))
        packed = [one for one in kept.steps if isinstance(one.run.layout.codec, Block)]
        gathering = [one for one in kept.steps if isinstance(one.run.layout.codec, Plain)]
        assert sum(len(one) for one in gathering) <= 3 * TOKENS
        assert len(packed) + len(gathering) == number + 1
        for run in {id(one.run): one.run for one in packed}.values():
            blocks = -(-run.layout.tokens // TOKENS)
            assert run.layout.tokens >= 0.9 * TOKENS * blocks or blocks == 4, "few are empty"
    assert packed


def test_a_step_larger_than_a_block_is_frozen_whole():
    kept = archive(codec=Block(4))
    put(kept, step(0, 2))
    put(kept, step(1, 150))
    assert [len(one) for one in kept.steps] == [3, 151]
    first, second = thaw(opened(kept))
    assert second.positions.tolist() == step(1, 150).tokens.positions.tolist()
    assert first.keys.shape[2] == 3
    assert (second.values - step(1, 150).values).abs().mean() < 0.2


def test_a_landmark_is_the_mean_of_the_bare_visual_keys_or_of_all_where_there_are_none():
    kept, seen, text = archive(), step(0, 6), step(1, 6)
    text.tokens.kind[:] = 0
    put(kept, seen)
    put(kept, text)
    wanted = [seen.bare[:, :, 1:].mean(2), text.bare.mean(2)]
    for found, mean in zip(landmarks(kept), wanted, strict=True):
        assert (found.float() - mean).abs().max() < 0.02


def with_room_for(runs: int) -> Archive:
    """Plain, every step of its own run; so many and one more do not fit."""
    one = archive()
    put(one, step(0, TOKENS - 1))
    return archive((runs + 1) * one.bytes - 1)


def test_the_past_gets_thin_like_a_logarithm_and_keeps_its_ends():
    kept, room = with_room_for(12), 12
    for number in range(300):
        put(kept, step(number, TOKENS - 1))
    ages = [299 - one.time for one in kept.steps]
    assert len(ages) == room
    assert (ages[0], ages[-1]) == (299, 0), "the first and the last moment"
    assert ages[-4:] == [3, 2, 1, 0], "the recent past is dense"
    shares = [(old - young) / old for old, young in itertools.pairwise(ages[:-4])]
    assert max(shares) < 0.7, "no stretch of the past is emptied"
    assert min(shares) > 0.15, "and none is kept at the cost of others"


def test_what_goes_is_what_brute_force_says_is_missed_least():
    """Of all runs between the ends, the one whose absence leaves the smallest gap for its age."""
    kept, times = with_room_for(8), []
    for number in range(120):
        put(kept, step(number, TOKENS - 1))
        times.append(float(number))
        if len(times) > 8:
            missed = {}
            for gone in times[1:-1]:
                rest = [t for t in times if t != gone]
                left = max(t for t in rest if t < gone)
                right = min(t for t in rest if t > gone)
                missed[gone] = (right - left) / (number - gone)
            times.remove(min(missed, key=lambda gone: (missed[gone], gone)))
        assert [one.time for one in kept.steps] == times
        assert kept.forgotten == number + 1 - len(times)


def _with_thawed(steps: list[Step]):
    return list(zip(steps, thaw(steps), strict=True))


@dataclass(frozen=True, eq=False)
class Scarce(Codec):
    """The block codec where memory is there for so many tokens at once."""

    room: list[int]
    method: str = "scarce"

    @property
    def keys(self) -> Coder:
        return ScarceCoder(Block().keys, self.room)

    @property
    def values(self) -> Coder:
        return ScarceCoder(Block().values, self.room)


@dataclass(frozen=True)
class ScarceCoder(Coder):
    inner: Coder
    room: list[int]

    def encode(self, x: torch.Tensor) -> Planes:
        if x.shape[1] > self.room[0]:
            raise torch.OutOfMemoryError("no memory is left")
        return self.inner.encode(x)

    def decode(self, planes: Planes, shape: Shape) -> torch.Tensor:
        return self.inner.decode(planes, shape)


def test_what_gathered_while_there_was_no_memory_is_frozen_in_usual_pieces_afterwards():
    room = [2**20]
    kept = archive(codec=Scarce(room))

    def frozen() -> list[int]:
        runs = {id(x.run): x.run for x in kept.steps if not isinstance(x.run.layout.codec, Plain)}
        return [run.layout.tokens for run in runs.values()]

    room[0] = 0  # after the archive is made
    for number in range(100):
        put(kept, step(number, 10))
    assert frozen() == []
    assert len(kept.steps) == 100
    room[0] = 4 * TOKENS  # what is usual, and no more
    for number in range(100, 130):
        put(kept, step(number, 10))
    assert len(frozen()) > 4
    assert max(frozen()) <= 4 * TOKENS
    times = [one.time for one in kept.steps]
    assert times == sorted(times) == [float(n) for n in range(130)]
    assert sum(isinstance(one.run.layout.codec, Plain) for one in kept.steps) * 11 <= 3 * TOKENS
    assert kept.forgotten == 0


def test_a_put_that_finds_no_memory_leaves_all_that_is_held_readable_and_counted():
    lost = whole = 0
    new = step(8, 10)
    given, asked = (new.keys, new.values, new.tokens), torch.ones(2, 3, 4, 8)
    for n in itertools.count():
        kept = Archive(Block(), ROTATION, SHAPE, 14_000, host_bytes=40_000)
        for number in range(8):
            put(kept, step(number, 10))
        assert [level.runs for level in kept.levels] == [5, 0]
        with Exhausted(n) as exhausted:
            kept.put(*given)  # is frozen with others, and one must go to the host for it
        lost += kept.forgotten > 0
        whole += kept.forgotten == 0
        assert len(kept.steps) + kept.forgotten == 9
        assert len({one.time for one in kept.steps}) == len(kept.steps)
        assert landmarks(kept).shape[0] == len(kept.steps)
        assert sum(level.runs for level in kept.levels) == len({id(x.run) for x in kept.steps})
        assert len(thaw(opened(kept))) == len(kept.steps)
        assert kept.find(asked, 10**6) == kept.steps
        put(kept, step(9, 10))  # and it goes on
        assert len(kept.steps) + kept.forgotten == 10
        if not exhausted.failed:
            break
    assert lost > 3 and whole > 0
