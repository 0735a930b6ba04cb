"""An archive's runs of steps as named tensors, and back.

Layers of a run are stacked: a codec makes planes of one shape of tensors of one shape. What a run's
planes must look like is read off a run of zeros, so that no codec has to say it a second time.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import torch
from torch import Tensor

from memory.codecs.bits import pack
from memory.codecs.block import blocks_of
from memory.codecs.codec import Codec, Packed
from memory.codecs.frozen import Frozen
from memory.codecs.plain import Plain
from memory.codecs.positions import PackedPositions, unpack_positions
from memory.pool import KVShape
from memory.recall.archive import Archived, Step
from memory.saving.checking import Checked, demand
from memory.saving.fit import Fit
from memory.saving.manifest import Manifest

SIDES = ("keys", "values")


def pack_archive(archive: Archived) -> dict[str, Tensor]:
    """All runs, then the steps alone, each under its number."""
    tensors = {}
    for number, steps in enumerate((*archive.runs, *((step,) for step in archive.alone))):
        for name, tensor in _pack(steps).items():
            tensors[f"archive.{number}.{name}"] = tensor
    return tensors


def unpack_archive(read: Checked, manifest: Manifest, fit: Fit) -> Archived:
    """What `pack_archive` was given.

    Args:
        read: all tensors that were read.
        manifest: says how many runs and steps there are.
        fit: the archive that it is to become; has a codec.

    Raises:
        MemoryDamaged: if anything is not as it is in every archive.
    """
    codec = fit.codec
    assert codec is not None
    whole = manifest.runs + manifest.alone
    codecs = [codec if number < manifest.runs else Plain() for number in range(whole)]
    runs = [_unpack(read, f"archive.{i}", kind, fit) for i, kind in enumerate(codecs)]
    alone = runs[manifest.runs :]
    demand(all(len(steps) == 1 for steps in alone), "a step that was alone is not")
    runs = runs[: manifest.runs]
    return Archived(codec, tuple(runs), tuple(steps[0] for steps in alone), manifest.forgotten)


def _pack(steps: Sequence[Step]) -> dict[str, Tensor]:
    run = steps[0].run
    tensors = {
        "base": run.positions.base,
        "offsets": run.positions.offsets,
        "marks": run.marks,
        "steps": torch.tensor([[s.start, s.stop, s.base, s.size] for s in steps]),
        "times": torch.tensor([s.time for s in steps], dtype=torch.float64),
        "landmarks": torch.stack([s.landmark for s in steps]),
    }
    for side, layers in zip(SIDES, (run.keys, run.values), strict=True):
        for plane in layers[0].planes:
            tensors[f"{side}.{plane}"] = torch.stack([layer.planes[plane] for layer in layers])
    return tensors


def _unpack(read: Checked, name: str, codec: Codec, fit: Fit) -> tuple[Step, ...]:
    shape, device = fit.shape, fit.device
    numbers = read.take(f"{name}.steps", torch.int64, None, 4)
    n = len(numbers)
    times = read.take(f"{name}.times", torch.float64, n).tolist()
    size = (shape.layers, shape.kv_heads, shape.head_dim)
    landmarks = read.take(f"{name}.landmarks", torch.bfloat16, n, *size).to(device)
    demand(n > 0, f"{name} has no step")
    stops = numbers[:, 1]
    starts = torch.cat([torch.zeros(1, dtype=torch.int64), stops[:-1]])
    ordered = (numbers[:, 0] == starts) & (stops > starts)
    tokens = int(stops[-1])
    demand(ordered.all() and tokens < 2**31, f"the steps of {name} do not follow each other")
    run = _run(read, name, codec, fit, tokens)
    at = unpack_positions(run.positions)
    steps = []
    for (start, stop, base, width), time, landmark in zip(
        numbers.tolist(), times, landmarks, strict=True
    ):
        own = at[start:stop]
        spans = (int(own.min()), int(own.max()) + 1) == (base, base + width)
        demand(spans and base >= 0, f"a step of {name} lies elsewhere than its tokens")
        steps.append(Step(run, start, stop, time, base, width, landmark))
    return tuple(steps)


def _run(read: Checked, name: str, codec: Codec, fit: Fit, tokens: int) -> Frozen:
    base = read.take(f"{name}.base", torch.int64, blocks_of(tokens), 3)
    offsets = read.take(f"{name}.offsets", (torch.int16, torch.int32), tokens, 3)
    marks = read.take(f"{name}.marks", torch.uint8, -(-tokens // 8))
    whole = pack(torch.ones(tokens, dtype=torch.bool), 1)
    demand(bool((offsets >= 0).all()) and torch.equal(marks, whole), f"{name} has lost tokens")
    keys, values = (
        _layers(read, f"{name}.{side}", planes, fit, tokens)
        for side, planes in zip(SIDES, _planes(codec, fit.shape, tokens), strict=True)
    )
    return Frozen(codec, keys, values, PackedPositions(base, offsets), marks)


def _layers(
    read: Checked, name: str, planes: dict[str, Tensor], fit: Fit, tokens: int
) -> tuple[Packed, ...]:
    """The keys or the values of all layers."""
    shape = fit.shape
    found = {
        plane: read.take(f"{name}.{plane}", like.dtype, shape.layers, *like.shape).to(fit.device)
        for plane, like in planes.items()
    }
    size = (shape.kv_heads, tokens, shape.head_dim)
    return tuple(
        Packed({plane: stack[layer] for plane, stack in found.items()}, size, shape.dtype)
        for layer in range(shape.layers)
    )


@lru_cache(maxsize=64)  # most runs are as long as others
def _planes(codec: Codec, shape: KVShape, tokens: int) -> tuple[dict[str, Tensor], ...]:
    """Planes of so many tokens of zeros, of keys and of values."""
    zeros = torch.zeros(shape.kv_heads, tokens, shape.head_dim, dtype=shape.dtype)
    return codec.encode_keys(zeros).planes, codec.encode_values(zeros).planes
