"""What holds for every codec of the registry, in every setting worth comparing."""

from __future__ import annotations

import pytest
import safetensors.torch
import torch

from memory.codecs.codec import LARGEST, Packed
from memory.codecs.registry import CODECS, codecs
from memory.codecs.vidkv import VidKV
from memory.codecs.vidkv_published import VidKVPublished
from tests.memory.codecs.data import gaussian, lost, loud

torch.set_num_threads(1)

every_codec = pytest.mark.parametrize("codec", codecs(), ids=lambda codec: codec.label)
sides = pytest.mark.parametrize("side", ["keys", "values"])


def encode(codec, side, x) -> Packed:
    return (codec.encode_keys if side == "keys" else codec.encode_values)(x)


def through(codec, side, x):
    decode = codec.decode_keys if side == "keys" else codec.decode_values
    return decode(encode(codec, side, x))


@every_codec
@sides
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
@pytest.mark.parametrize("tokens", [1, 31, 64, 200])
def test_shape_and_type_come_back_and_inputs_stay(codec, side, dtype, tokens) -> None:
    x = gaussian(0, tokens=tokens).to(dtype)
    before = x.clone()
    decoded = through(codec, side, x)
    assert decoded.shape == x.shape and decoded.dtype == dtype and decoded.device == x.device
    assert torch.equal(x, before)
    assert bool(torch.isfinite(decoded).all())


@every_codec
@sides
def test_the_same_input_gives_the_same_bytes(codec, side) -> None:
    first, second = (encode(codec, side, loud(1)).planes for _ in range(2))
    assert first.keys() == second.keys()
    assert all(torch.equal(first[name], second[name]) for name in first)


@every_codec
@sides
def test_zeros_come_back_as_zeros(codec, side) -> None:
    zeros = torch.zeros(2, 200, 64)
    assert torch.equal(through(codec, side, zeros), zeros)


@every_codec
@sides
def test_bf16_is_encoded_as_the_same_numbers_in_float32_are(codec, side) -> None:
    x = gaussian(2, tokens=200).bfloat16()
    assert torch.equal(through(codec, side, x), through(codec, side, x.float()).bfloat16())


@every_codec
@sides
@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -float("inf"), 2 * LARGEST])
def test_what_is_no_number_is_refused(codec, side, bad) -> None:
    x = gaussian(3)
    x[1, 5, 7] = bad
    with pytest.raises(ValueError, match="NaN, infinity"):
        encode(codec, side, x)


@every_codec
@sides
@pytest.mark.parametrize("shape", [(0, 4, 8), (2, 0, 8), (4, 8)])
def test_nothing_is_refused(codec, side, shape) -> None:
    with pytest.raises(ValueError, match="heads, tokens, d"):
        encode(codec, side, torch.zeros(shape))


@every_codec
@sides
@pytest.mark.parametrize("size", [LARGEST, -LARGEST, 1e-30])
def test_an_outlier_of_any_size_leaves_all_numbers_finite(codec, side, size) -> None:
    x = gaussian(4, tokens=192)
    x[0, 3, 5] = size
    assert bool(torch.isfinite(through(codec, side, x)).all())


@every_codec
@sides
def test_the_largest_half_precision_number_does_not_become_infinite(codec, side) -> None:
    x = gaussian(5, tokens=192).half()
    x[0, 3, 5], x[0, 4, 5] = 65504, -65504
    assert bool(torch.isfinite(through(codec, side, x)).all())


def own_scales(codec, side: str) -> bool:
    """Whether every head is encoded by itself; VidKV's wide channels are those of all heads."""
    return side == "values" or not isinstance(codec, (VidKV, VidKVPublished))


@pytest.mark.parametrize(
    ("codec", "side"),
    [(c, side) for c in codecs() for side in ("keys", "values") if own_scales(c, side)],
    ids=lambda each: getattr(each, "label", each),
)
def test_heads_do_not_depend_on_each_other(codec, side) -> None:
    x = loud(6)
    assert torch.equal(through(codec, side, x)[1:], through(codec, side, x[1:]))


@every_codec
@sides
def test_true_bits_are_those_of_what_would_be_written(codec, side) -> None:
    x = gaussian(7, tokens=192).bfloat16()
    packed = encode(codec, side, x)
    written = safetensors.torch.save({k: p.contiguous() for k, p in packed.planes.items()})
    payload = len(written) - 8 - int.from_bytes(written[:8], "little")
    assert packed.nbytes == payload
    assert packed.bits_per_number == 8 * payload / x.numel()


@every_codec
@sides
def test_planes_own_their_memory(codec, side) -> None:
    x = loud(8, tokens=200)
    packed = encode(codec, side, x)
    stored = {name: plane.clone() for name, plane in packed.planes.items()}
    x.zero_()
    for name, plane in packed.planes.items():
        assert torch.equal(plane, stored[name])
        assert plane.untyped_storage().nbytes() == plane.nbytes, f"{name} is a view of more"


@every_codec
def test_a_codec_is_its_own_configuration(codec) -> None:
    kind = type(codec)
    assert codec == kind(**{name: getattr(codec, name) for name in kind.__dataclass_fields__})
    assert hash(codec) == hash(codec) and codec.label.startswith(codec.method)


def test_names_are_those_of_one_codec_each() -> None:
    names = [kind().method for kind in CODECS]
    assert len(set(names)) == len(names)
    labels = [codec.label for codec in codecs()]
    assert len(set(labels)) == len(labels)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@every_codec
@sides
def test_a_gpu_decodes_what_a_cpu_decodes(codec, side) -> None:
    x = loud(9)
    there = through(codec, side, x.cuda())
    assert there.is_cuda
    assert lost(through(codec, side, x), there.cpu()) < 0.01  # a code at a tie may fall elsewhere
