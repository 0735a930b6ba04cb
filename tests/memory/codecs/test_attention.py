"""What codecs cost where it counts: attention over decoded keys and values."""

from __future__ import annotations

import itertools

import pytest
import torch
from torch import Tensor

from memory.codecs.block import Block, BlockTernary
from memory.codecs.codec import Codec
from memory.codecs.kivi import KIVI
from memory.codecs.registry import codecs
from memory.codecs.vidkv import VidKV
from memory.codecs.vidkv_published import VidKVPublished
from tests.memory.codecs.data import Asked, asked, gaussian, lost, loud, uneven

torch.set_num_threads(1)

BLOCK, TERNARY = Block(), BlockTernary()
OTHERS = KIVI(residual=0), VidKV(residual=0), VidKVPublished(residual=0)
seeds = pytest.mark.parametrize("seed", range(3))


def random_data(seed: int) -> Asked:
    return asked(gaussian(seed), gaussian(seed + 50), seed)


def structured(seed: int) -> Asked:
    """Keys with loud channels, values of uneven size."""
    return asked(loud(seed), uneven(seed + 50), seed)


def cost(codec: Codec, data: Asked) -> float:
    keys = codec.decode_keys(codec.encode_keys(data.keys))
    values = codec.decode_values(codec.encode_values(data.values))
    return data.lost(keys, values)


@seeds
@pytest.mark.parametrize("make", [random_data, structured])
def test_the_questions_read_few_tokens_and_not_the_mean_of_all(make, seed) -> None:
    data = make(seed)
    blind = data.attend(data.keys.mean(1, keepdim=True).expand_as(data.keys), data.values)
    assert lost(data.attend(data.keys, data.values), blind) > 0.5


@seeds
def test_on_random_data_blocks_cost_least_and_the_release_most(seed) -> None:
    data = random_data(seed)
    kivi, vidkv, published = (cost(codec, data) for codec in OTHERS)
    assert cost(BLOCK, data) * 1.1 < kivi < vidkv < published * 0.95
    assert cost(BLOCK, data) * 1.1 < cost(TERNARY, data) < published * 0.95


@seeds
def test_on_structured_data_values_by_channel_win_and_the_release_fails(seed) -> None:
    data = structured(seed)
    kivi, vidkv, published = (cost(codec, data) for codec in OTHERS)
    assert cost(BLOCK, data) * 1.2 < vidkv < kivi
    assert cost(BLOCK, data) < cost(TERNARY, data) < vidkv
    assert kivi < 0.7 and published > 1, "what the release returns is worse than nothing"


@seeds
@pytest.mark.parametrize("make", [random_data, structured])
def test_more_bits_cost_less(make, seed) -> None:
    data = make(seed)
    costs = [cost(Block(bits=bits), data) for bits in (1, 2, 3, 4, 8)]
    assert all(more < less * 0.75 for less, more in itertools.pairwise(costs))
    assert costs[-1] < 0.03


@seeds
def test_choosing_the_step_is_what_pays(seed) -> None:
    for data in (random_data(seed), structured(seed)):
        assert cost(BLOCK, data) < 0.75 * cost(Block(candidates=1), data)


@seeds
def test_nothing_is_lost_of_what_is_not_encoded(seed) -> None:
    data = random_data(seed)
    newest = asked(data.keys[:, -100:], data.values[:, -100:], seed)
    for codec in codecs():
        if getattr(codec, "residual", 0) >= 100:
            assert cost(codec, newest) == 0


# Controls: what must be seen to fail.


@seeds
def test_steps_of_other_channels_are_seen_to_cost(seed) -> None:
    data = structured(seed)
    packed = BLOCK.encode_values(data.values)
    packed.planes["step"] = packed.planes["step"].roll(1, -1)
    keys = BLOCK.decode_keys(BLOCK.encode_keys(data.keys))
    assert data.lost(keys, BLOCK.decode_values(packed)) > 1.5 * cost(BLOCK, data)


@seeds
def test_kivi_with_its_halves_exchanged_cannot_bear_loud_channels(seed) -> None:
    kivi, data = KIVI(residual=0), structured(seed)
    by_token = kivi.decode_values(kivi.encode_values(data.keys))
    by_channel = kivi.decode_keys(kivi.encode_keys(data.keys))
    assert data.lost(by_token, data.values) > 1.5 * data.lost(by_channel, data.values)


def rotated(keys: Tensor, direction: int = 1) -> Tensor:
    """Keys under rotary positions; `direction` -1 takes it back.

    Survivors of a pruned stream lie some positions apart.
    """
    half = keys.shape[2] // 2
    frequency = 10000.0 ** -(torch.arange(half) / half)
    angle = torch.outer(20 * torch.arange(keys.shape[1]), frequency) * direction  # [tokens, half]
    a, b = keys[..., :half], keys[..., half:]
    return torch.cat([a * angle.cos() - b * angle.sin(), a * angle.sin() + b * angle.cos()], -1)


@seeds
def test_rotated_keys_cost_more_than_un_rotated_ones(seed) -> None:
    data = structured(seed)
    plain = BLOCK.decode_keys(BLOCK.encode_keys(data.keys))
    turned = rotated(BLOCK.decode_keys(BLOCK.encode_keys(rotated(data.keys))), -1)
    assert lost(data.keys, rotated(rotated(data.keys), -1)) < 1e-5
    middle = data.keys.mean(1, keepdim=True)  # attention reads differences between keys
    assert lost(data.keys - middle, turned - middle) > 1.5 * lost(
        data.keys - middle, plain - middle
    )
    assert data.lost(turned, data.values) > data.lost(plain, data.values)
