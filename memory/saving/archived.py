"""An archive's runs of steps as named tensors, and back.

Layers of a run are stacked: a codec makes planes of one shape of tensors of one shape. What a run's
planes must look like is read off a run of zeros, so that no codec has to say it a second time. Of a
run that lies in a file of the archive's own, the file's name and checksum are kept, not its bytes.
"""

from __future__ import annotations

from functools import lru_cache

import torch
from torch import Tensor

from memory.codecs.bits import pack
from memory.codecs.block import blocks_of
from memory.codecs.codec import Codec
from memory.codecs.frozen import Frozen
from memory.codecs.layers import Layers
from memory.codecs.plain import Plain
from memory.codecs.positions import PackedPositions, unpack_positions
from memory.pool import KVShape
from memory.recall.disk import SUFFIX, File
from memory.recall.kept import Archived, Away, Kept
from memory.recall.tiers import Span
from memory.saving.checking import Checked, demand
from memory.saving.fit import Fit
from memory.saving.manifest import Manifest

SIDES = ("keys", "values")


def pack_archive(archive: Archived) -> dict[str, Tensor]:
    """All runs, then the steps alone, each under its number; then the runs in files."""
    tensors = {}
    for number, kept in enumerate((*archive.runs, *archive.alone)):
        for name, tensor in _pack(kept).items():
            tensors[f"archive.{number}.{name}"] = tensor
    for number, away in enumerate(archive.away):
        for name, tensor in _pack_away(away).items():
            tensors[f"archive.away.{number}.{name}"] = tensor
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
    demand(all(len(kept.spans) == 1 for kept in alone), "a step that was alone is not")
    away = [_unpack_away(read, f"archive.away.{i}", fit) for i in range(manifest.away)]
    runs = runs[: manifest.runs]
    return Archived(codec, tuple(runs), tuple(alone), manifest.forgotten, tuple(away))


def _pack(kept: Kept) -> dict[str, Tensor]:
    run = kept.frozen
    tensors = {
        "base": run.positions.base,
        "offsets": run.positions.offsets,
        "marks": run.marks,
        **_pack_spans(kept.spans, kept.landmarks),
    }
    for side, layers in zip(SIDES, (run.keys, run.values), strict=True):
        for plane, tensor in layers.planes.items():
            tensors[f"{side}.{plane}"] = tensor
    return tensors


def _pack_away(away: Away) -> dict[str, Tensor]:
    file = away.file
    return {
        "file": torch.frombuffer(bytearray.fromhex(file.name[:32]), dtype=torch.uint8),
        "sha256": torch.frombuffer(bytearray.fromhex(file.sha256), dtype=torch.uint8),
        "numbers": torch.tensor([file.nbytes, away.tokens, int(away.wide)]),
        **_pack_spans(away.spans, away.landmarks),
    }


def _pack_spans(spans: tuple[Span, ...], landmarks: Tensor) -> dict[str, Tensor]:
    return {
        "steps": torch.tensor([[s.start, s.stop, s.base, s.size] for s in spans]),
        "times": torch.tensor([s.time for s in spans], dtype=torch.float64),
        "landmarks": landmarks,
    }


def _unpack(read: Checked, name: str, codec: Codec, fit: Fit) -> Kept:
    spans, landmarks = _unpack_spans(read, name, fit)
    run = _run(read, name, codec, fit, spans[-1].stop)
    at = unpack_positions(run.positions)
    for span in spans:
        own = at[span.start : span.stop]
        lies = (int(own.min()), int(own.max()) + 1) == (span.base, span.base + span.size)
        demand(lies, f"a step of {name} lies elsewhere than its tokens")
    return Kept(run, spans, landmarks)


def _unpack_away(read: Checked, name: str, fit: Fit) -> Away:
    spans, landmarks = _unpack_spans(read, name, fit)
    file, checksum = (
        bytes(read.take(f"{name}.{each}", torch.uint8, size).tolist()).hex()
        for each, size in (("file", 16), ("sha256", 32))
    )
    nbytes, tokens, wide = read.take(f"{name}.numbers", torch.int64, 3).tolist()
    demand(tokens == spans[-1].stop and wide in (0, 1), f"{name} has lost tokens")
    demand(nbytes > 0 and (tokens > 1 or not wide), f"{name} is of no size there is")
    demand(all(span.size > 0 for span in spans), f"a step of {name} takes no place")
    return Away(File(file + SUFFIX, checksum, nbytes), tokens, bool(wide), spans, landmarks)


def _unpack_spans(read: Checked, name: str, fit: Fit) -> tuple[tuple[Span, ...], Tensor]:
    """Steps that follow each other in their run, and their landmarks."""
    shape = fit.shape
    numbers = read.take(f"{name}.steps", torch.int64, None, 4)
    n = len(numbers)
    times = read.take(f"{name}.times", torch.float64, n).tolist()
    size = (shape.layers, shape.kv_heads, shape.head_dim)
    landmarks = read.take(f"{name}.landmarks", torch.bfloat16, n, *size)
    demand(n > 0, f"{name} has no step")
    stops = numbers[:, 1]
    starts = torch.cat([torch.zeros(1, dtype=torch.int64), stops[:-1]])
    ordered = (numbers[:, 0] == starts) & (stops > starts) & (numbers[:, 2] >= 0)
    follow = bool(ordered.all()) and int(stops[-1]) < 2**31
    demand(follow, f"the steps of {name} do not follow each other")
    spans = [
        Span(start, stop, time, base, width)
        for (start, stop, base, width), time in zip(numbers.tolist(), times, strict=True)
    ]
    return tuple(spans), landmarks


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


def _layers(read: Checked, name: str, planes: dict[str, Tensor], fit: Fit, tokens: int) -> Layers:
    """The keys or the values of all layers."""
    shape = fit.shape
    found = {
        plane: read.take(f"{name}.{plane}", like.dtype, shape.layers, *like.shape)
        for plane, like in planes.items()
    }
    size = (shape.kv_heads, tokens, shape.head_dim)
    return Layers(found, size, shape.dtype)


@lru_cache(maxsize=64)  # most runs are as long as others
def _planes(codec: Codec, shape: KVShape, tokens: int) -> tuple[dict[str, Tensor], ...]:
    """Planes of so many tokens of zeros, of keys and of values."""
    zeros = torch.zeros(shape.kv_heads, tokens, shape.head_dim, dtype=shape.dtype)
    return codec.encode_keys(zeros).planes, codec.encode_values(zeros).planes
