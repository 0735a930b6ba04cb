"""A memory's state as named tensors, and back: the only place that knows what stands where."""

from __future__ import annotations

import torch
from torch import Tensor

from memory.saving.archived import pack_archive, unpack_archive
from memory.saving.checking import Checked, demand
from memory.saving.fit import Fit
from memory.saving.manifest import Manifest
from memory.saving.noted import IDS, pack_notes, unpack_notes
from memory.saving.state import MemoryState
from memory.table import MERGED, NOTE, SINK, TEXT, TokenTable

Tensors = dict[str, Tensor]


def to_tensors(state: MemoryState) -> Tensors:
    """All numbers of a state that the manifest does not hold, on the host."""
    table = state.tokens
    tensors = {
        "keys": state.keys,
        "values": state.values,
        "rows": state.rows,
        "positions": torch.from_numpy(table.positions),
        "group": torch.from_numpy(table.group),
        "time": torch.from_numpy(table.time).nan_to_num(nan=0.0),  # of the sink, which has none
        "kind": torch.from_numpy(table.kind),
    }
    tensors |= pack_notes(state.notes)
    if state.archive is not None:
        tensors |= pack_archive(state.archive)
    return {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}


def from_tensors(tensors: Tensors, manifest: Manifest, fit: Fit) -> MemoryState:
    """What `to_tensors` was given.

    Args:
        tensors: as they were read, on the host.
        manifest: checked against `fit`.
        fit: the memory that it is to become.

    Raises:
        MemoryDamaged: if anything is not as it is in every memory.
    """
    read, shape, held = Checked(tensors), fit.shape, manifest.held
    size = (shape.layers, shape.kv_heads, held, shape.head_dim)
    keys, values = (read.take(name, shape.dtype, *size) for name in ("keys", "values"))
    positions = read.take("positions", torch.int64, None, 3)
    n = len(positions)
    group = read.take("group", torch.int64, n)
    time = read.take("time", torch.float64, n)
    kind = read.take("kind", torch.int8, n)
    rows = read.take("rows", torch.int64, *fit.heads, held)
    _check_tokens(positions, group, kind, manifest)
    _check_rows(rows, group, fit)
    archive = None
    if manifest.codec is not None:
        assert fit.codec is not None, "the manifest was checked"
        archive = unpack_archive(read, manifest, fit)
    demand((time <= manifest.newest).all(), "a step is newer than the newest")
    time = time.masked_fill(group == SINK, torch.nan)
    table = TokenTable(positions.numpy(), group.numpy(), time.numpy(), kind.numpy())
    notes = unpack_notes(read, table, rows, there=IDS in tensors)
    read.finish()
    numbers = manifest.next_position, manifest.next_group, manifest.seen
    return MemoryState(keys, values, rows, table, *numbers, archive, notes)


def _check_tokens(positions: Tensor, group: Tensor, kind: Tensor, manifest: Manifest) -> None:
    within = (positions >= 0) & (positions < manifest.next_position)
    demand(within.all(), "a position lies beyond the next one")
    demand(((group >= NOTE) & (group < manifest.next_group)).all(), "a step is yet to come")
    demand(((kind >= TEXT) & (kind <= MERGED)).all(), "a token is of no kind there is")
    demand(manifest.seen >= manifest.held, "more is held than was ever seen")


def _check_rows(rows: Tensor, group: Tensor, fit: Fit) -> None:
    n, sink = len(group), fit.sink
    demand(((rows >= -1) & (rows < n)).all(), "a slot names a token that there is not")
    filled, fixed = rows >= 0, group == SINK
    alike = int(fixed.sum()) == sink <= rows.shape[-1]
    demand(alike and bool(fixed[:sink].all()), "the fixed beginning is another one")
    demand((rows[..., :sink] == torch.arange(sink)).all(), "the fixed beginning is not where it is")
    lengths = filled.sum(-1, keepdim=True)
    demand((filled == (torch.arange(rows.shape[-1]) < lengths)).all(), "a head has a hole")
    demand(int(lengths.max()) == rows.shape[-1], "no head holds as much as is held")
    counts = torch.zeros((*rows.shape[:2], n + 1), dtype=torch.int64)
    counts.scatter_add_(2, rows.masked_fill(~filled, n), filled.long())
    demand((counts <= 1).all(), "a head holds a token twice")
    demand(counts[..., :n].any(0).any(0).all(), "a token is held by no head")
