"""All layers at once: the same bytes, and the same numbers back, as layer by layer."""

from __future__ import annotations

import pytest
import torch

from memory.codecs.frozen import freeze, remaining
from memory.codecs.layers import Layers, decode_both, encode_both
from memory.codecs.registry import codecs
from tests.memory.codecs.data import loud


def several(count: int, tokens: int) -> torch.Tensor:
    """[layers, heads, tokens, d], each layer louder than the one before."""
    return torch.stack([loud(seed, tokens=tokens) * 3**seed for seed in range(count)])


@pytest.mark.parametrize("tokens", [70, 192])
@pytest.mark.parametrize("codec", codecs(), ids=lambda codec: codec.label)
def test_layers_packed_at_once_are_what_single_layers_are(codec, tokens) -> None:
    x = several(6, tokens)
    keys, values = x[:3], x[3:]
    packed = encode_both(codec, keys, values)
    back = decode_both(codec, *packed)
    for layer in range(3):
        alone = codec.encode_keys(keys[layer]), codec.encode_values(values[layer])
        for one, all_of_them in zip(alone, packed, strict=True):
            assert one.planes.keys() == all_of_them.planes.keys()
            for name, plane in one.planes.items():
                assert torch.equal(all_of_them.planes[name][layer], plane), name
        assert torch.equal(back[0][layer], codec.decode_keys(alone[0]))
        assert torch.equal(back[1][layer], codec.decode_values(alone[1]))
    assert sum(side.nbytes for side in packed) == sum(
        one.nbytes
        for layer in range(3)
        for one in (codec.encode_keys(keys[layer]), codec.encode_values(values[layer]))
    )


@pytest.mark.parametrize("bad", [torch.nan, torch.inf, -torch.inf, 2.0**31])
@pytest.mark.parametrize("side", [0, 1])
def test_what_is_not_finite_in_any_layer_is_refused(bad, side) -> None:
    both = [several(3, 64), several(3, 64)]
    both[side][2, 1, 63, 5] = bad
    with pytest.raises(ValueError, match="NaN, infinity"):
        freeze(codecs()[0], *both, torch.zeros(64, 3, dtype=torch.int64))


def test_a_single_layer_is_layers_of_one() -> None:
    codec, x = codecs()[0], loud(0)
    keys = Layers.of(codec.encode_keys(x))
    values = Layers.of(codec.encode_values(x))
    assert len(keys) == 1
    back, _ = decode_both(codec, keys, values)
    assert torch.equal(back[0], codec.decode_keys(codec.encode_keys(x)))


@pytest.mark.parametrize("codec", codecs(), ids=lambda codec: codec.label)
def test_keys_and_values_of_different_types_come_back_in_their_own(codec) -> None:
    keys, values = several(2, 70), several(2, 70).bfloat16()
    packed = Layers.of(codec.encode_keys(keys[0])), Layers.of(codec.encode_values(values[0]))
    back = decode_both(codec, *packed)
    assert [side.dtype for side in back] == [torch.float32, torch.bfloat16]
    assert torch.equal(back[0][0], codec.decode_keys(codec.encode_keys(keys[0])))
    assert torch.equal(back[1][0], codec.decode_values(codec.encode_values(values[0])))


def test_of_several_runs_it_is_known_which_tokens_are_left() -> None:
    codec, x = codecs()[0], several(2, 70)
    run = freeze(codec, x[:1], x[1:], torch.zeros(70, 3, dtype=torch.int64))
    gone = torch.zeros(70, dtype=torch.bool)
    gone[[3, 64, 69]] = True
    left = remaining([run, run.evict(gone), run])
    assert torch.equal(left[0], torch.arange(70)) and torch.equal(left[2], left[0])
    assert torch.equal(left[1], (~gone).nonzero()[:, 0])
