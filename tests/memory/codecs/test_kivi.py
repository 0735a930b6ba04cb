"""KIVI: which numbers share a scale, what stays as it is, and the bits."""

from __future__ import annotations

import pytest
import torch

from memory.codecs.kivi import KIVI
from tests.memory.codecs.data import gaussian, lost, loud, uneven

torch.set_num_threads(1)


@pytest.mark.parametrize(("tokens", "stay"), [(127, 127), (128, 0), (300, 44), (384, 0)])
def test_keys_gather_until_the_residual_is_full(tokens, stay) -> None:
    keys = gaussian(0, tokens=tokens)
    decoded = KIVI().decode_keys(KIVI().encode_keys(keys))
    exact = (decoded == keys).all(2).all(0)  # [tokens]
    assert int(exact.sum()) == stay and bool(exact[tokens - stay :].all())


@pytest.mark.parametrize(("tokens", "stay"), [(127, 127), (128, 128), (129, 128), (300, 128)])
def test_the_newest_values_stay(tokens, stay) -> None:
    values = gaussian(1, tokens=tokens)
    decoded = KIVI().decode_values(KIVI().encode_values(values))
    exact = (decoded == values).all(2).all(0)  # [tokens]
    assert int(exact.sum()) == stay and bool(exact[tokens - stay :].all())


def test_a_key_shares_its_scale_with_32_tokens_of_its_channel() -> None:
    codec, keys = KIVI(residual=0), gaussian(2)
    other = keys.clone()
    other[0, 40, 5] = 50
    changed = codec.decode_keys(codec.encode_keys(keys)) != codec.decode_keys(
        codec.encode_keys(other)
    )
    assert changed.nonzero()[:, [0, 2]].unique(dim=0).tolist() == [[0, 5]]
    tokens = changed.nonzero()[:, 1]
    assert int(tokens.min()) >= 32 and int(tokens.max()) < 64 and len(tokens) > 16


def test_a_value_shares_its_scale_with_32_channels_of_its_token() -> None:
    codec, values = KIVI(residual=0), gaussian(3)
    other = values.clone()
    other[1, 40, 5] = 50
    changed = codec.decode_values(codec.encode_values(values)) != codec.decode_values(
        codec.encode_values(other)
    )
    assert changed.nonzero()[:, :2].unique(dim=0).tolist() == [[1, 40]]
    channels = changed.nonzero()[:, 2]
    assert int(channels.max()) < 32 and len(channels) > 16


def test_a_value_is_encoded_alike_whoever_follows() -> None:
    codec, values = KIVI(residual=0), gaussian(4)
    alone = codec.decode_values(codec.encode_values(values[:, :7]))
    assert torch.equal(alone, codec.decode_values(codec.encode_values(values))[:, :7])


@pytest.mark.parametrize(("bits", "group"), [(2, 32), (2, 64), (4, 32), (3, 64)])
def test_true_bits_are_code_and_32_bits_per_group(bits, group) -> None:
    codec, x = KIVI(bits=bits, group=group, residual=0), gaussian(5)
    assert codec.encode_keys(x).bits_per_number == bits + 32 / group
    assert codec.encode_values(x).bits_per_number == bits + 32 / group


def test_true_bits_count_the_residual_in_the_type_it_has() -> None:
    x = gaussian(6, tokens=512).bfloat16()
    assert KIVI().encode_keys(x).bits_per_number == 3
    assert KIVI().encode_values(x).bits_per_number == (3 * 384 + 16 * 128) / 512


def test_loud_channels_want_keys_by_channel_and_not_by_token() -> None:
    codec, keys = KIVI(residual=0), loud(7)
    by_channel = codec.decode_keys(codec.encode_keys(keys))
    by_token = codec.decode_values(codec.encode_values(keys))
    middle = keys.mean(1, keepdim=True)  # attention reads differences between keys
    assert lost(keys - middle, by_channel - middle) < 0.5 < lost(keys - middle, by_token - middle)


def test_uneven_channels_want_values_by_channel_too() -> None:
    codec, values = KIVI(residual=0), uneven(8)
    by_channel = codec.decode_keys(codec.encode_keys(values))
    by_token = codec.decode_values(codec.encode_values(values))
    assert lost(values, by_channel) < lost(values, by_token) * 0.85


@pytest.mark.parametrize("wrong", [{"bits": 0}, {"bits": 9}, {"residual": 33}, {"group": 0}])
def test_what_cannot_be_is_refused(wrong) -> None:
    with pytest.raises(ValueError, match=r"codes|residual"):
        KIVI(**wrong)


def test_channels_that_are_no_whole_groups_are_refused() -> None:
    with pytest.raises(ValueError, match="48 channels"):
        KIVI(residual=0).encode_values(gaussian(9, d=48))
    assert KIVI(residual=0).encode_values(gaussian(9, d=16)).bits_per_number == 2 + 32 / 16
