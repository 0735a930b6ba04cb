"""The kernels over packed blocks against the reference: interpreted on the CPU, real on a GPU."""

from __future__ import annotations

import importlib.util
from dataclasses import replace

import pytest
import torch

from memory.codecs.block import Block, BlockTernary
from memory.codecs.layers import Layers
from memory.codecs.plain import Plain
from memory.packed.blocks import Blocks
from memory.packed.choice import UNPACKERS, choose
from memory.packed.torch_unpacker import TorchUnpacker
from memory.packed.triton_unpacker import TritonUnpacker
from memory.packed.unpacker import Unpacker
from memory.pool import KVShape
from memory.readers.partial import combine, partial_attention
from memory.readers.reader import Demand
from memory.recall.step import thaw
from tests.memory.packed.scenes import SHIFT, Scene, rotation, run
from tests.needs import need

GPU = torch.cuda.is_available()
DEVICE = "cuda" if GPU else "cpu"
SHAPE = KVShape(1, 2, 16)
TORCH = TorchUnpacker()
CLOSE = 2e-5


@pytest.fixture
def triton() -> TritonUnpacker:
    need(importlib.util.find_spec("triton") is not None, "triton")
    return TritonUnpacker(chunk=2)  # so that small tests have several


def scene(shape: KVShape = SHAPE, bits: int = 2) -> Scene:
    """Steps of three runs: a whole one, a part of one of two blocks, one that lost tokens."""
    codec = Block(bits)
    return Scene(
        shape,
        run(codec, [30, 34], shape, 1)
        + run(codec, [20, 50, 15], shape, 2)[1:]
        + run(codec, [20, 30], shape, 3, gone=(3, 19, 20, 44))[:1],
    )


def thawed_alike(unpacker: Unpacker, seen: Scene, dtype=None, close: float = CLOSE) -> None:
    got, wanted = (seen.put(each, DEVICE, dtype) for each in (unpacker, TORCH))
    for mine, reference in ((got.keys, wanted.keys), (got.values, wanted.values)):
        assert mine.dtype == reference.dtype
        torch.testing.assert_close(mine.float(), reference.float(), atol=close, rtol=close)


def attended_alike(
    unpacker: Unpacker, blocks: Blocks, reference: Blocks, query: torch.Tensor, close: float = CLOSE
) -> None:
    for layer in range(blocks.shape[0]):
        got = unpacker.attend(blocks, layer, query, 0.3)
        wanted = TORCH.attend(reference, layer, query, 0.3)
        for mine, theirs in zip(got, wanted, strict=True):
            assert mine.dtype == torch.float32 and mine.shape == theirs.shape
            torch.testing.assert_close(mine, theirs, atol=close, rtol=close)


@pytest.mark.parametrize("bits", [1, 2, 3, 4, 7, 8])
def test_thawing_by_the_kernel_writes_what_the_reference_writes_for_every_width(triton, bits):
    thawed_alike(triton, scene(KVShape(1, 1, 16), bits))


@pytest.mark.parametrize(("d", "heads"), [(8, 1), (20, 3), (80, 1), (128, 1)])
def test_thawing_by_the_kernel_suits_any_head(triton, d, heads):
    thawed_alike(triton, scene(KVShape(1, heads, d)))


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_what_was_packed_in_float32_is_thawed_into_pools_of_half_formats(triton, dtype):
    thawed_alike(triton, scene(), dtype, close=2**-7)


def test_what_was_packed_in_bfloat16_differs_by_its_rounding_only(triton):
    thawed_alike(triton, scene(KVShape(1, 2, 16, torch.bfloat16)), close=2**-6)


def test_levels_beyond_the_largest_number_of_a_format_do_not_become_infinite(triton):
    shape = KVShape(1, 1, 8, torch.float16)
    codec = Block(candidates=1)  # spans the ends, and so goes beyond them
    steps = run(codec, [64], shape, 4)
    huge = torch.full((1, 64, 8), torch.finfo(torch.float16).max, dtype=torch.float16)
    huge[:, ::3] *= -0.9
    packed, coder = codec.encode_values(huge), codec.values
    assert coder.decode(packed.planes, packed.shape).max() > torch.finfo(torch.float16).max
    steps = [replace(s, run=replace(s.run, values=Layers.of(packed))) for s in steps]
    pool = Scene(shape, steps).put(triton, DEVICE)
    assert torch.equal(pool.values, Scene(shape, steps).put(TORCH, DEVICE).values)
    assert pool.values.isfinite().all()


def test_zeros_come_back_as_zeros(triton):
    none = torch.zeros(1, 64, 8)
    values, keys = (Layers.of(x) for x in (Block().encode_values(none), Block().encode_keys(none)))
    shape = KVShape(1, 1, 8)
    steps = [
        replace(s, run=replace(s.run, values=values, keys=keys))
        for s in run(Block(), [64], shape, 4)
    ]
    pool = Scene(shape, steps).put(triton, DEVICE)
    written = (pool.keys != 7) | (pool.values != 7)
    assert int(written.sum()) == 64 * 8
    assert torch.all(pool.keys[written] == 0) and torch.all(pool.values[written] == 0)


def test_runs_of_every_codec_are_thawed_together_and_in_their_own_slots(triton):
    steps = (
        run(Plain(), [9], SHAPE, 1)
        + run(Block(), [64, 10], SHAPE, 2)
        + run(BlockTernary(), [70], SHAPE, 3)
        + run(Block(4), [65], SHAPE, 4)
        + run(Block(), [33, 31], SHAPE, 5)
    )
    thawed_alike(triton, Scene(SHAPE, steps))


def test_the_reference_over_blocks_is_thawing_and_then_attending():
    seen = scene()
    query = seen.queries(3, 4, "cpu")
    thawed = thaw(seen.steps)
    keys = [
        rotation(SHAPE.head_dim).put(one.keys, one.positions + SHIFT + 5 * n)
        for n, one in enumerate(thawed)
    ]
    for layer in range(SHAPE.layers):
        k = torch.cat(keys, 2)[layer].transpose(0, 1)
        v = torch.cat([one.values for one in thawed], 2)[layer].transpose(0, 1)
        wanted = partial_attention(query, k, v, 0.3, causal=False)
        got = TORCH.attend(seen.blocks("cpu"), layer, query, 0.3)
        for mine, theirs in zip(got, wanted, strict=True):
            torch.testing.assert_close(mine, theirs, atol=1e-6, rtol=1e-6)


def test_every_layer_is_thawed_into_its_own_part_of_the_pool(triton):
    thawed_alike(triton, scene(KVShape(3, 2, 8)))


@pytest.mark.parametrize(("bits", "count", "heads"), [(2, 1, 2), (2, 3, 6), (3, 1, 4), (8, 2, 2)])
def test_attention_over_codes_equals_the_reference(triton, bits, count, heads):
    seen = scene(bits=bits)
    blocks = seen.blocks(DEVICE)
    attended_alike(triton, blocks, blocks, seen.queries(count, heads, DEVICE))


def test_attention_over_codes_reads_the_layer_it_was_asked_for(triton):
    seen = scene(KVShape(2, 1, 8))
    blocks = seen.blocks(DEVICE)
    attended_alike(triton, blocks, blocks, seen.queries(1, 1, DEVICE))


@pytest.mark.parametrize("d", [8, 20, 80])
def test_attention_over_codes_suits_any_head_and_more_queries_than_a_block(triton, d):
    seen = scene(KVShape(1, 1, d))
    blocks = seen.blocks(DEVICE)
    attended_alike(triton, blocks, blocks, seen.queries(19, 2, DEVICE))


def test_attention_over_codes_takes_queries_in_half_precision(triton):
    shape = KVShape(1, 2, 16, torch.float16)
    seen = scene(shape)
    blocks = seen.blocks(DEVICE)
    attended_alike(triton, blocks, blocks, seen.queries(2, 4, DEVICE), close=4e-3)


def test_attention_over_codes_merges_with_attention_over_other_keys(triton):
    seen = scene()
    query, blocks = seen.queries(2, 4, DEVICE), seen.blocks(DEVICE)
    wanted, lse = TORCH.attend(blocks, 0, query, 0.3)
    halves = [
        Blocks.of(seen.steps[part], seen.bases[part], blocks.rotation, torch.device(DEVICE))
        for part in (slice(0, 2), slice(2, None))
    ]
    parts = [triton.attend(halves[0], 0, query, 0.3), TORCH.attend(halves[1], 0, query, 0.3)]
    outs, lses = (torch.stack(x) for x in zip(*parts, strict=True))
    got = combine(outs, lses)
    torch.testing.assert_close(got[0], wanted, atol=CLOSE, rtol=CLOSE)
    torch.testing.assert_close(got[1], lse, atol=CLOSE, rtol=CLOSE)


def test_where_nothing_is_read_attention_is_zero_with_no_weight(triton):
    blocks = scene().blocks(DEVICE)
    blind = replace(blocks, places=blocks.places[:0], positions=blocks.positions[:0])
    out, lse = triton.attend(blind, 0, scene().queries(2, 4, DEVICE), 0.3)
    assert torch.all(out == 0) and torch.all(lse == float("-inf"))


def other_bit_order(blocks: Blocks) -> Blocks:
    """As if the first code lay in the highest bits of its byte."""
    codes = blocks.keys["codes"].int()
    turned = sum(((codes >> 2 * n) & 3) << (6 - 2 * n) for n in range(4))
    return replace(blocks, keys={**blocks.keys, "codes": turned.to(torch.uint8)})


def neighbouring_step(blocks: Blocks) -> Blocks:
    """As if steps were a quarter octave larger."""
    return replace(blocks, keys={**blocks.keys, "step": blocks.keys["step"] + 1})


def neighbouring_position(blocks: Blocks) -> Blocks:
    """As if the positions were those after."""
    return replace(blocks, positions=blocks.positions + 1)


def neighbouring_token(blocks: Blocks) -> Blocks:
    """As if the tokens of a block were counted from 1."""
    return replace(blocks, places=blocks.places.roll(1))


def values_of_the_next_head(blocks: Blocks) -> Blocks:
    """As if heads were counted from 1."""
    return replace(blocks, values={k: v.roll(1, dims=1) for k, v in blocks.values.items()})


@pytest.mark.parametrize("fault", [
    other_bit_order, neighbouring_step, neighbouring_position, neighbouring_token,
    values_of_the_next_head,
])  # fmt: skip
def test_a_kernel_that_misread_one_of_these_would_be_noticed(triton, fault):
    seen = scene()
    blocks, query = seen.blocks(DEVICE), seen.queries(2, 4, DEVICE)
    attended_alike(triton, blocks, blocks, query)
    with pytest.raises(AssertionError, match="not close"):
        attended_alike(triton, fault(blocks), blocks, query)


class Misreading(TritonUnpacker):
    """Thaws blocks that were read wrong."""

    fault = staticmethod(other_bit_order)

    def _thaw(self, blocks, pool, slots):
        super()._thaw(type(self).fault(blocks), pool, slots)


@pytest.mark.parametrize("fault", [
    other_bit_order, neighbouring_step, neighbouring_position, neighbouring_token,
    values_of_the_next_head,
])  # fmt: skip
def test_a_thaw_that_misread_one_of_these_would_be_noticed(triton, fault):
    wrong = type("Wrong", (Misreading,), {"fault": staticmethod(fault)})()
    with pytest.raises(AssertionError, match="not close"):
        thawed_alike(wrong, scene())


def test_steps_of_different_codecs_or_of_one_that_packs_otherwise_are_no_blocks():
    turning, cpu = rotation(SHAPE.head_dim), torch.device("cpu")
    mixed = run(Block(), [64], SHAPE, 1) + run(Block(4), [64], SHAPE, 2)
    with pytest.raises(ValueError, match="not of 2"):
        Blocks.of(mixed, [0, 0], turning, cpu)
    with pytest.raises(ValueError, match="block_ternary does not"):
        Blocks.of(run(BlockTernary(), [64], SHAPE, 1), [0], turning, cpu)
    with pytest.raises(ValueError, match="not of 0"):
        Blocks.of([], [], turning, cpu)


def demand(device: str = "cpu", **changes: object) -> Demand:
    shape = replace(SHAPE, **changes)  # type: ignore[arg-type]
    return Demand(torch.device(device), shape, 16)


def test_on_a_cpu_the_reference_is_taken_and_the_kernels_say_why_not():
    assert type(choose(demand())) is TorchUnpacker
    for name, unpacker in UNPACKERS.items():
        assert (unpacker.refuses(demand()) is None) == (name == "torch")


def test_on_a_gpu_the_kernels_are_taken_for_what_they_can_write():
    need(importlib.util.find_spec("triton") is not None, "triton")
    assert type(choose(demand("cuda"))) is TritonUnpacker
    assert type(choose(demand("cuda", dtype=torch.float64))) is TorchUnpacker
    assert type(choose(demand("cuda", head_dim=512))) is TorchUnpacker


@pytest.mark.gpu
@pytest.mark.parametrize("bits", [2, 3, 4])
def test_on_a_gpu_the_kernels_equal_the_reference_in_bfloat16(bits):
    if not GPU:
        pytest.skip("needs a CUDA device")
    seen = scene(KVShape(2, 2, 128, torch.bfloat16), bits)
    thawed_alike(TritonUnpacker(), seen, close=2**-6)
    blocks = seen.blocks("cuda")
    for count in (1, 40):
        query = seen.queries(count, 8, "cuda")
        attended_alike(TritonUnpacker(), blocks, blocks, query, close=3e-2)
