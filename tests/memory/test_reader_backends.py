"""Every reader against the reference: the Triton kernel interpreted on the CPU, all on a GPU."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from core.errors import ConfigError
from memory.pool import KVShape
from memory.readers.choice import AUTO, READERS, choose
from memory.readers.flash_reader import FlashReader
from memory.readers.paged import cleared, same_for_all_heads
from memory.readers.partial import combine, merge, partial_attention
from memory.readers.reader import Demand, Reader
from memory.readers.sdpa_reader import SdpaReader
from memory.readers.tables import Span, Tables
from memory.readers.torch_reader import TorchReader
from memory.readers.triton_reader import TritonReader
from memory.readers.varlen_reader import VarlenReader
from memory.view import View
from tests.fakes import flash
from tests.memory.plans import Packed
from tests.needs import need

GPU = torch.cuda.is_available()
ROOT = Path(__file__).parents[2]
DEVICE = "cuda" if GPU else "cpu"
# decode rows and a segment, with and without scratch before them, with and without a memory
MIXED = [(70, 3, 1), (None, 2, 5), (0, 0, 2), (33, 0, 9)]


@pytest.fixture
def triton() -> TritonReader:
    need(importlib.util.find_spec("triton") is not None, "triton")
    return TritonReader(chunk=32)  # so that small tests have several


def agree(reader: Reader, packed: Packed, atol: float = 2e-5) -> None:
    for layer in range(packed.pool.shape.layers):
        wanted = packed.attend(TorchReader(), layer)
        got = packed.attend(reader, layer)
        assert got.dtype == wanted.dtype
        assert torch.allclose(got.float(), wanted.float(), atol=atol)


@pytest.mark.parametrize("page_size", [1, 16, 24, 64])
def test_the_kernel_equals_the_reference_whatever_the_page_size(triton, page_size):
    agree(triton, Packed(MIXED, KVShape(1, 2, 16), heads=4, page_size=page_size, device=DEVICE))


@pytest.mark.parametrize(("head_dim", "kv_heads", "heads"), [(8, 1, 1), (16, 2, 6), (80, 1, 2),
                                                             (256, 1, 1)])  # fmt: skip
def test_the_kernel_equals_the_reference_for_any_head_and_group(triton, head_dim, kv_heads, heads):
    agree(triton, Packed(MIXED, KVShape(1, kv_heads, head_dim), heads=heads, device=DEVICE))


@pytest.mark.parametrize(("dtype", "atol"), [(torch.bfloat16, 3e-2), (torch.float16, 4e-3)])
def test_the_kernel_reads_the_half_formats(triton, dtype, atol):
    if dtype is torch.bfloat16 and not GPU:
        pytest.skip("needs a CUDA device: Triton's interpreter multiplies bfloat16 as integers")
    agree(triton, Packed(MIXED, KVShape(1, 2, 16, dtype), heads=4, device=DEVICE), atol)


def test_the_kernel_gives_each_head_of_each_layer_its_own_length(triton):
    lengths = torch.tensor([[70, 0], [3, 41]])
    packed = Packed(MIXED, KVShape(2, 2, 16), heads=4, lengths={0: lengths}, device=DEVICE)
    agree(triton, packed)
    for layer in range(2):
        out = packed.attend(triton, layer)
        assert torch.allclose(out, packed.expected(layer), atol=2e-5)


def test_the_order_of_slots_does_not_matter_to_the_kernel(triton):
    packed = Packed(MIXED, KVShape(1, 2, 16), heads=4, device=DEVICE)
    before = packed.attend(triton, 0)
    packed.permute(0)
    packed.permute(3)
    assert torch.allclose(packed.attend(triton, 0), before, atol=2e-5)


def test_what_else_is_in_the_batch_does_not_matter_to_a_sequence(triton):
    packed = Packed(MIXED, KVShape(1, 2, 16), heads=4, device=DEVICE)
    together = packed.attend(triton, 0)
    for number in (0, 1):
        span = packed.spans[number]
        tokens = [x[span.start : span.stop] for x in packed.fresh]
        plan = packed.plan(triton, [number])
        alone = plan.attend(0, *tokens, packed.scale)
        assert torch.allclose(alone, together[span.start : span.stop], atol=1e-6)


ON_A_CPU = {"device": "cpu"}


@pytest.mark.parametrize(("head_dim", "kv_heads", "heads"), [(8, 1, 1), (16, 2, 6), (80, 1, 2)])
def test_torchs_fused_attention_over_gathered_pages_equals_the_reference(head_dim, kv_heads, heads):
    shape = KVShape(2, kv_heads, head_dim)
    agree(SdpaReader(), Packed(MIXED, shape, heads=heads, page_size=24, **ON_A_CPU))


@pytest.mark.parametrize(("dtype", "atol"), [(torch.bfloat16, 3e-2), (torch.float16, 4e-3)])
def test_it_reads_the_half_formats_too(dtype, atol):
    agree(SdpaReader(), Packed(MIXED, KVShape(1, 2, 16, dtype), heads=4, **ON_A_CPU), atol)


def test_it_reads_heads_of_their_own_lengths_too():
    lengths = {0: torch.tensor([[70, 0], [3, 41]])}
    agree(SdpaReader(), Packed(MIXED, KVShape(2, 2, 16), heads=4, lengths=lengths, **ON_A_CPU))


def test_to_it_neither_the_order_of_slots_nor_the_rest_of_the_batch_matters():
    packed = Packed(MIXED, KVShape(1, 2, 16), heads=4, **ON_A_CPU)
    before = packed.attend(SdpaReader(), 0)
    packed.permute(0)
    packed.permute(3)
    assert torch.allclose(packed.attend(SdpaReader(), 0), before, atol=2e-5)
    for number, span in enumerate(packed.spans):
        tokens = [x[span.start : span.stop] for x in packed.fresh]
        alone = packed.plan(SdpaReader(), [number]).attend(0, *tokens, packed.scale)
        assert torch.allclose(alone, before[span.start : span.stop], atol=2e-5)


def test_what_is_hidden_is_made_once_for_all_layers_and_changes_no_bit():
    packed = Packed(MIXED, KVShape(3, 2, 16), heads=4, **ON_A_CPU)
    query, reader = packed.fresh[0], SdpaReader()
    plan = packed.plan(reader)
    reader.read(plan, 0, query, packed.scale)
    made = dict(plan.masks)
    assert set(made) == {span for span in plan.spans if span.stop - span.start > 1}
    for layer in (1, 2):
        anew = reader.read(packed.plan(reader), layer, query, packed.scale)
        assert torch.equal(reader.read(plan, layer, query, packed.scale), anew)
    assert all(plan.masks[span] is mask for span, mask in made.items())


def test_more_queries_than_a_block_are_read_by_several_programs(triton):
    agree(triton, Packed([(40, 5, 70), (3, 0, 1)], KVShape(1, 1, 16), heads=2, device=DEVICE))


COMPILING = """
import sys

import torch
import triton
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource

from memory.readers.kernel import attend_chunk
from memory.readers.triton_reader import block_sizes

types = {name: "*bf16" for name in ("query", "keys", "values")}
types |= {name: "*fp32" for name in ("out", "lse")}
types |= {name: "*i32" for name in ("starts", "pages", "lengths")}
types |= {"scale": "fp32", "tokens": "i32", "width": "i32", "kv_heads": "i32"}
fixed = block_sizes(torch.bfloat16, 128, int(sys.argv[1]))
fixed |= {"PAGE": 16, "DIM": 128, "GROUP": 4, "CHUNK": 1024, "CAUSAL": True}
source = ASTSource(attend_chunk, types | dict.fromkeys(fixed, "constexpr"), constexprs=fixed)
done = triton.compile(source, target=GPUTarget("cuda", 80, 32))
assert "cubin" in done.asm
print(done.metadata.shared)
"""


def test_the_kernel_compiles_for_a_gpu_and_fits_the_shared_memory_of_small_ones(triton, tmp_path):
    environment = {**os.environ, "TRITON_CACHE_DIR": str(tmp_path)}
    environment.pop("TRITON_INTERPRET", None)
    done = subprocess.run(
        [sys.executable, "-c", COMPILING, "64"],
        env=environment, cwd=ROOT, capture_output=True, text=True, timeout=150, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) <= 99 * 1024


def test_parts_combined_are_what_merging_them_one_by_one_gives():
    draw = torch.Generator().manual_seed(3)
    q, k, v = (torch.randn(n, h, 8, generator=draw) for n, h in ((3, 4), (9, 2), (9, 2)))
    pieces = [slice(0, 4), slice(4, 4), slice(4, 9)]  # one of them is empty
    parts = [partial_attention(q, k[p], v[p], 0.3, causal=False) for p in pieces]
    merged = merge(*merge(*parts[0], *parts[1]), *parts[2])
    outs, lses = (torch.stack(x) for x in zip(*parts, strict=True))
    combined = combine(outs, lses)
    for got, wanted in zip(combined, merged, strict=True):
        assert torch.allclose(got, wanted, atol=1e-6)
    nothing = combine(torch.stack([parts[1][0]] * 2), torch.stack([parts[1][1]] * 2))
    assert torch.all(nothing[0] == 0) and torch.all(nothing[1] == float("-inf"))


def test_what_a_flash_kernel_says_of_tokens_that_see_nothing_has_no_weight():
    packed = Packed(MIXED, KVShape(1, 2, 16), heads=4)
    side = Tables.of(packed.spans, 1, 2).memory
    assert side is not None
    tokens = packed.spans[-1].stop
    sees = torch.tensor([True] + [False] * 7 + [True] * 9)
    lse = torch.where(sees, 1.0, float("inf")).expand(4, tokens)
    out, cleaned = cleared(torch.ones(tokens, 4, 16).half(), lse, side)
    assert torch.equal(cleaned[:, 0] == 1.0, sees)
    assert torch.all(cleaned[~sees] == float("-inf")) and torch.all(out[~sees] == 0)
    scratch = torch.full((tokens, 4, 16), 5.0), torch.zeros(tokens, 4)
    merged, _ = merge(*scratch, out, cleaned)
    assert torch.all(merged[~sees] == 5.0) and torch.all(merged[sees] < 5.0)
    with pytest.raises(ValueError, match="log-sum-exp"):
        cleared(out, lse.T, side)


@pytest.mark.parametrize("reader", [
    VarlenReader(attend=flash.varlen_attn), FlashReader(attend=flash.flash_attn_varlen_func),
])  # fmt: skip
@pytest.mark.parametrize("sequences", [MIXED, [(700, 3, 1), (20, 2, 1)], [(None, 300, 2)]])
def test_the_flash_readers_ask_flash_kernels_for_what_the_reference_computes(reader, sequences):
    shape = KVShape(2, 2, 16, torch.float16)
    agree(reader, Packed(sequences, shape, heads=4, page_size=256), atol=4e-3)


@pytest.mark.gpu
@pytest.mark.parametrize("reader", [TritonReader, VarlenReader, FlashReader])
@pytest.mark.parametrize("sequences", [
    [(700, 3, 1), (20, 2, 1)],  # decoding only: such kernels pack groups of heads here
    [(700, 3, 1), (None, 2, 5), (0, 0, 2), (300, 0, 90)],
])  # fmt: skip
def test_every_reader_that_can_be_used_on_this_gpu_equals_the_reference(reader, sequences):
    if not GPU:
        pytest.skip("needs a CUDA device")
    shape = KVShape(2, 2, 128, torch.bfloat16)
    refusal = reader.refuses(Demand(torch.device("cuda"), shape, 256))
    if refusal is not None:
        pytest.skip(refusal)
    packed = Packed(sequences, shape, heads=8, page_size=256, device="cuda")
    agree(reader(), packed, atol=3e-2)


def demand(**changes: object) -> Demand:
    basis = {"device": torch.device("cpu"), "shape": KVShape(1, 1, 16), "page_size": 16}
    return Demand(**{**basis, **changes})  # type: ignore[arg-type]


def test_on_a_cpu_torchs_fused_attention_is_taken_and_kernels_for_gpus_say_why_not():
    choice = choose(AUTO, demand())
    assert choice.name == "sdpa" and choice.reader is SdpaReader
    assert set(choice.refusals) == set(READERS) - {"sdpa", "torch"}
    assert all(choice.refusals.values())


def test_a_reader_that_is_asked_for_and_cannot_be_used_is_an_error_that_says_why():
    with pytest.raises(ConfigError, match=r"engine\.reader: varlen: needs"):
        choose("varlen", demand())
    with pytest.raises(ConfigError, match="'fastest' is none of auto, varlen, flash, triton"):
        choose("fastest", demand())
    assert choose("torch", demand()).refusals == {}


def test_a_scratch_that_does_not_end_with_its_tokens_is_refused():
    view = View.of([0], 3, 16, torch.device("cpu"))
    with pytest.raises(ValueError, match="does not end with"):
        Span(0, 4, None, view)


def test_a_flash_reader_refuses_heads_of_different_lengths_rather_than_misread_them():
    packed = Packed([(5, 0, 1)], KVShape(1, 2, 16), heads=2, lengths={0: torch.tensor([[5, 2]])})
    side = packed.plan(TorchReader()).tables.memory
    assert side is not None
    with pytest.raises(ValueError, match="same number"):
        same_for_all_heads(side)
