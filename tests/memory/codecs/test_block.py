"""Blocks of 64 tokens: what shares a scale, what fills a block up, and the bits."""

from __future__ import annotations

import pytest
import torch

from memory.codecs.block import TOKENS, Block, BlockTernary, blocks_of
from memory.codecs.fitted import step_of
from memory.codecs.kivi import KIVI
from tests.memory.codecs.data import gaussian, lost, loud, uneven

torch.set_num_threads(1)


def through(codec, keys):
    return codec.decode_keys(codec.encode_keys(keys))


@pytest.mark.parametrize(("bits", "expected"), [(1, 1.375), (2, 2.375), (4, 4.375)])
def test_true_bits_are_code_and_24_bits_per_64_tokens(bits, expected) -> None:
    packed = Block(bits=bits).encode_keys(gaussian(0))
    assert packed.bits_per_number == expected
    assert Block(bits=bits).encode_values(gaussian(0)).bits_per_number == expected


def test_two_kibibytes_of_codes_per_head_lie_in_one_piece() -> None:
    planes = Block().encode_keys(gaussian(1, heads=3, tokens=128, d=128)).planes
    assert planes["codes"].shape == (3, 2, 2048) and planes["codes"].is_contiguous()
    assert planes["step"].shape == planes["centre"].shape == (3, 2, 128)


def test_codes_of_a_channel_follow_each_other_by_token() -> None:
    keys = gaussian(2, heads=1, tokens=64, d=8)
    planes = Block().encode_keys(keys).planes
    channel = planes["codes"][0, 0].view(8, 16)[5]  # 16 bytes of 4 tokens each
    codes = torch.stack([channel >> shift & 3 for shift in (0, 2, 4, 6)], -1).flatten()
    step, centre = step_of(planes["step"])[0, 0, 5], planes["centre"][0, 0, 5].float()
    decoded = (codes - 1.5) * step + centre
    assert torch.equal(through(Block(), keys)[0, :, 5], decoded)


@pytest.mark.parametrize("tokens", [1, 63, 64, 65, 130])
def test_a_block_has_one_size_whatever_it_holds(tokens) -> None:
    packed = Block().encode_keys(gaussian(3, tokens=tokens))
    full = Block().encode_keys(gaussian(3, tokens=blocks_of(tokens) * TOKENS))
    assert packed.nbytes == full.nbytes
    assert packed.bits_per_number == pytest.approx(2.375 * blocks_of(tokens) * TOKENS / tokens)


def test_what_fills_a_block_up_does_not_come_back() -> None:
    keys = loud(4, tokens=70)
    decoded = through(Block(), keys)
    assert decoded.shape == keys.shape
    assert torch.equal(decoded[:, :64], through(Block(), keys[:, :64]))
    assert torch.equal(decoded[:, 64:], through(Block(), keys[:, 64:]))


def test_one_token_comes_back_as_bfloat16_can_say_it() -> None:
    keys = loud(5, tokens=1)
    assert torch.equal(through(Block(), keys), keys.bfloat16().float())
    assert torch.equal(through(Block(), keys.bfloat16()), keys.bfloat16())


def test_an_outlier_costs_its_channel_in_its_block_only() -> None:
    keys = gaussian(6)
    other = keys.clone()
    other[1, 70, 9] = 1e6
    changed = (through(Block(), keys) != through(Block(), other)).nonzero()
    assert changed[:, [0, 2]].unique(dim=0).tolist() == [[1, 9]]
    assert int(changed[:, 1].min()) >= 64 and int(changed[:, 1].max()) < 128


@pytest.mark.parametrize("outlier", [1.0, 30.0, 1e3, 1e6])
def test_a_lone_outlier_is_itself_met_within_half_the_first_step(outlier) -> None:
    keys = torch.zeros(1, 64, 1)
    keys[0, 10] = outlier
    error = (through(Block(), keys) - keys).norm().item()
    spanning = outlier / 3 * 2**0.25
    assert error <= 8 * spanning / 2  # sqrt(64) tokens, half a step each
    assert (through(Block(), keys)[0, 10, 0] > outlier / 2).item()


@pytest.mark.parametrize("factor", [1e-6, 0.1, 1e5])
def test_size_makes_no_difference(factor) -> None:
    keys = loud(7)
    assert lost(keys * factor, through(Block(), keys * factor)) == pytest.approx(
        lost(keys, through(Block(), keys)), rel=0.05
    )


def test_blocks_lose_less_than_kivi_at_fewer_bits() -> None:
    block, kivi = Block(), KIVI(residual=0)
    for x in (gaussian(8), uneven(8)):
        ours, theirs = block.encode_values(x), kivi.encode_values(x)
        assert ours.bits_per_number < theirs.bits_per_number - 0.6
        assert lost(x, block.decode_values(ours)) < 0.9 * lost(x, kivi.decode_values(theirs))


def test_four_bits_lose_less_than_a_third_of_what_two_lose() -> None:
    x = gaussian(9)
    assert lost(x, through(Block(bits=4), x)) < lost(x, through(Block(), x)) / 3


def test_ternary_values_save_half_a_bit_and_lose_more() -> None:
    x = uneven(10, d=128)
    packed = BlockTernary().encode_values(x)
    assert packed.bits_per_number == pytest.approx(1.6 + 16 / 64, abs=0.001)
    assert BlockTernary().encode_keys(x).bits_per_number == 2.375
    ternary, four = BlockTernary().decode_values(packed), through(Block(), x)
    assert lost(x, four) + 0.05 < lost(x, ternary) < 0.46


@pytest.mark.parametrize(
    "wrong",
    [lambda: Block(bits=0), lambda: Block(bits=9), lambda: Block(candidates=0)],
)
def test_what_cannot_be_is_refused(wrong) -> None:
    with pytest.raises(ValueError, match="codes have"):
        wrong()
    with pytest.raises(ValueError, match="gamma"):
        BlockTernary(gamma=1.5)
