"""The kernels over packed blocks compile for GPUs, without one, and fit their shared memory."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

from tests.needs import need

ROOT = Path(__file__).parents[3]
COMPILING = """
import torch
import triton
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource

from memory.packed import kernels
from memory.packed.triton_unpacker import attention_sizes

planes = {
    f"{of}_{plane}": kind
    for of in ("key", "value")
    for plane, kind in {"codes": "*u8", "step": "*u8", "centre": "*bf16"}.items()
}
planes |= {"cos": "*fp32", "sin": "*fp32", "target": "*i64", "largest": "fp32", "blocks": "i32"}
fixed = {"TOKENS": 64, "BITS": 2, "HALF": 64}
attending = {"query": "*bf16", "out": "*fp32", "lse": "*fp32", "scale": "fp32", "queries": "i32"}
attending |= {"kv_heads": "i32"}
thawing = {"keys": "*bf16", "values": "*bf16", "slots": "i32", "heads": "i32"}
sizes = attention_sizes(torch.bfloat16, 128, 64) | {"GROUP": 4, "CHUNK": 8}
for kernel, own, constants in (
    (kernels.thaw_blocks, thawing, {**fixed, "WIDE": 64}),
    (kernels.attend_blocks, attending, {**fixed, **sizes}),
):
    types = planes | own | dict.fromkeys(constants, "constexpr")
    types = {name: types[name] for name in kernel.arg_names}
    for capability in (80, 90):
        source = ASTSource(kernel, types, constexprs=constants)
        done = triton.compile(source, target=GPUTarget("cuda", capability, 32))
        assert "cubin" in done.asm
        print(done.metadata.shared)
"""


def test_the_kernels_compile_for_gpus_and_fit_the_shared_memory_of_small_ones(tmp_path):
    need(importlib.util.find_spec("triton") is not None, "triton")
    environment = {**os.environ, "TRITON_CACHE_DIR": str(tmp_path)}
    environment.pop("TRITON_INTERPRET", None)
    done = subprocess.run(
        [sys.executable, "-c", COMPILING],
        env=environment, cwd=ROOT, capture_output=True, text=True, timeout=150, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    shared = [int(line) for line in done.stdout.split()]
    assert len(shared) == 4 and max(shared) <= 99 * 1024
