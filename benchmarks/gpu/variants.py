"""Rows about what compiling and packing change: words, frames and bytes of the same shape."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

import torch

from benchmarks.gpu.context import Context
from benchmarks.gpu.feeding import flood
from benchmarks.gpu.models import PLAIN, Variant
from benchmarks.gpu.rig import PATIENCE_S
from benchmarks.gpu.scale import DAY_S
from benchmarks.gpu.speaking import spoken
from benchmarks.report import Row
from core.errors import ModelLoadFailed
from models.quantizing import stored_bytes

VARIANTS: Final[Mapping[str, Variant]] = MappingProxyType(
    {
        "plain": PLAIN,
        "compiled": Variant(compiled=True),
        "int8": Variant("int8"),
        "fp8": Variant("fp8"),
        "int8-compiled": Variant("int8", compiled=True),
        "fp8-compiled": Variant("fp8", compiled=True),
        "int4": Variant("int4"),
    }
)
SHARE: Final = 0.25  # of the visual tokens, kept


def variant(name: str, context: Context, shape: str) -> list[Row]:
    """One of `VARIANTS`, or the reason for which it cannot be had here."""
    row: Row = {"shape": shape, "variant": name}
    try:
        context.models.get(shape, VARIANTS[name])
    except ModelLoadFailed as error:
        return [row | {"skipped": str(error)}]
    if context.device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(context.device)
    return [row | _speaking(context, shape, name) | _watching(context, shape, name)]


def _speaking(context: Context, shape: str, name: str) -> Row:
    scale = context.scale
    few, many = scale.answers[:2]
    with context.rig(shape, answers=many, variant=VARIANTS[name]) as rig:
        rig.open(1, rig.remembered(DAY_S, scale.camera_fps))
        rig.ask(0, 4).wait(PATIENCE_S)  # what was not compiled yet is now
        found: Row = {"weights_gb": stored_bytes(rig.model.network) / 1e9}
        for answers in (few, many):
            said = spoken(rig, answers, scale.answer_tokens // 2)
            found[f"tokens_per_s_of_{answers}"] = said["tokens_per_s"]
        return found | {"graphs": rig.engine.graphed}


def _watching(context: Context, shape: str, name: str) -> Row:
    scale = context.scale
    with context.rig(
        shape, cameras=scale.streams, capacity=scale.small_capacity,
        share=SHARE, variant=VARIANTS[name],
    ) as rig:  # fmt: skip
        rig.open(scale.streams, rig.remembered(DAY_S, scale.camera_fps))
        flood(rig, scale.streams, 0.0, 0.01)
        flow = flood(rig, scale.streams, scale.warm_s, scale.window_s)
        found: Row = {
            "cameras": scale.streams,
            "share_kept": SHARE,
            "frames_per_s": flow.frames_per_s,
            **rig.pace,
        }
    if context.device.type == "cuda":
        found["peak_gb"] = torch.cuda.max_memory_allocated(context.device) / 1e9
    return found
