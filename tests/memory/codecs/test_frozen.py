"""Frozen tokens: positions to the last bit, marks, and the bits of all there is."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from memory.codecs.block import Block, BlockTernary
from memory.codecs.frozen import Frozen, freeze
from memory.codecs.kivi import KIVI
from memory.codecs.positions import pack_positions, unpack_positions
from tests.memory.codecs.data import gaussian

torch.set_num_threads(1)


def layers(count: int, tokens: int, heads: int = 2, d: int = 32) -> torch.Tensor:
    """[layers, heads, tokens, d]."""
    return torch.stack([gaussian(seed, heads, tokens, d) for seed in range(count)])


def steps(tokens: int, start: int = 0) -> torch.Tensor:
    """Positions of visual tokens, eight to a temporal step, int64 [tokens, 3]."""
    index = torch.arange(tokens)
    t = start + index // 8 * 9
    return torch.stack([t, t + index % 8 // 4, t + index % 4], 1)


def frozen(codec=None, tokens: int = 192, count: int = 6, start: int = 0) -> Frozen:
    x = layers(2 * count, tokens)
    return freeze(codec or Block(), x[:count], x[count:], steps(tokens, start))


@settings(max_examples=40)
@given(
    st.integers(1, 200),
    st.integers(-(2**40), 2**62),
    st.sampled_from([1, 200, 2**15, 2**20, 2**31 - 1]),
    st.integers(0, 99),
)
def test_positions_come_back_to_the_last_bit(tokens, start, span, seed) -> None:
    generator = torch.Generator().manual_seed(seed)
    positions = start + torch.randint(0, span, (tokens, 3), generator=generator)
    packed = pack_positions(positions)
    assert torch.equal(unpack_positions(packed), positions)
    narrow = span <= 2**15
    assert packed.offsets.dtype == (torch.int16 if narrow else packed.offsets.dtype)
    assert packed.nbytes == 24 * -(-tokens // 64) + 3 * tokens * packed.offsets.itemsize


@pytest.mark.parametrize("far", [2**31, 2**62])
def test_positions_of_one_block_that_lie_too_far_apart_are_refused(far) -> None:
    positions = torch.zeros(64, 3, dtype=torch.int64)
    positions[5, 0] = far
    with pytest.raises(ValueError, match="apart"):
        pack_positions(positions)
    assert len(pack_positions(positions[:5]).base) == 1


@pytest.mark.parametrize(
    "positions", [torch.zeros(0, 3).long(), torch.zeros(4, 2).long(), torch.zeros(4, 3)]
)
def test_what_are_no_positions_is_refused(positions) -> None:
    with pytest.raises(ValueError, match="positions"):
        pack_positions(positions)


@pytest.mark.parametrize("start", [0, 10**7, 2**60])
def test_thawing_gives_what_the_codec_gives_at_any_position(start) -> None:
    store, x = frozen(start=start), layers(12, 192)
    thawed = store.thaw()
    for layer in range(6):
        keys = Block().decode_keys(Block().encode_keys(x[layer]))
        values = Block().decode_values(Block().encode_values(x[6 + layer]))
        assert torch.equal(thawed.keys[layer], keys) and torch.equal(thawed.values[layer], values)
    assert torch.equal(thawed.positions, steps(192, start))


@settings(max_examples=20, deadline=None)
@given(st.lists(st.booleans(), min_size=70, max_size=70), st.integers(0, 69))
def test_evicted_tokens_are_gone_and_nothing_else_changes(going, extra) -> None:
    store = frozen(tokens=70, count=1)
    whole, gone = store.thaw(), torch.tensor(going)
    less = store.evict(gone)
    assert torch.equal(less.valid, ~gone)
    thawed = less.thaw()
    assert torch.equal(thawed.keys, whole.keys[:, :, ~gone])
    assert torch.equal(thawed.values, whole.values[:, :, ~gone])
    assert torch.equal(thawed.positions, whole.positions[~gone])
    again = torch.zeros(70, dtype=torch.bool)
    again[extra] = True
    assert torch.equal(less.evict(again).valid, ~gone & ~again), "the dead stay dead"
    assert bool(store.valid.all()), "the one it came from holds what it held"


@pytest.mark.parametrize("codec", [Block(), BlockTernary()])
@pytest.mark.parametrize("start", [0, 10**9])
def test_all_in_all_frozen_blocks_take_two_and_a_half_bits_at_most(codec, start) -> None:
    # The shape of the embedded model: 6 layers, 2 heads, 32 channels.
    assert frozen(codec, start=start).bits_per_number <= 2.5


def test_kivi_takes_more_than_three_bits() -> None:
    assert frozen(KIVI(residual=0)).bits_per_number > 3


def test_all_that_is_stored_is_counted() -> None:
    store = frozen()
    numbers = 2 * 6 * 2 * 32 * 192
    codes_and_scales = numbers * 2.375 / 8
    positions_and_marks = 3 * 24 + 192 * 6 + 192 / 8
    assert store.nbytes == codes_and_scales + positions_and_marks
    assert store.bits_per_number == 8 * store.nbytes / numbers
    assert store.bits_per_number == pytest.approx(2.375 + 52 / (numbers / 192))


def test_bits_are_counted_over_the_tokens_that_are_left() -> None:
    store = frozen()
    half = torch.arange(192) % 2 == 0
    assert store.evict(half).bits_per_number == 2 * store.bits_per_number
    with pytest.raises(ValueError, match="every token was evicted"):
        _ = store.evict(torch.ones(192, dtype=torch.bool)).bits_per_number


def test_what_does_not_belong_together_is_refused() -> None:
    x = layers(2, 64)
    with pytest.raises(ValueError, match="same tokens"):
        freeze(Block(), x[:1], x[1:, :, :63], steps(64))
    with pytest.raises(ValueError, match="same tokens"):
        freeze(Block(), x[:1], x[1:], steps(63))
    with pytest.raises(ValueError, match="what goes is bool"):
        frozen().evict(torch.ones(191, dtype=torch.bool))
