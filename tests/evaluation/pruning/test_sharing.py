"""The reader that reads a memory once for many answers gives what the reference gives."""

from __future__ import annotations

import pytest
import torch

from evaluation.pruning.sharing import SharingReader
from memory.pool import KVShape, PagePool
from memory.readers.reader import Plan
from memory.readers.tables import Span
from memory.readers.torch_reader import TorchReader
from memory.scratch import Scratch

SHAPE = KVShape(2, 2, 16, torch.float32)
HEADS = 4


def plan(lengths, owners):
    """Spans with these numbers of new tokens, each reading one of two memories or none."""
    torch.manual_seed(0)
    pool = PagePool(SHAPE, 64, 4)
    pool.keys.normal_()
    pool.values.normal_()
    memories = []
    for size in (13, 6):
        memory = Scratch(pool, size)
        memory.extend(size)
        memories.append(memory.view())
    spans, slots, start = [], [], 0
    for place, (length, owner) in enumerate(zip(lengths, owners, strict=True)):
        scratch = Scratch(pool, 20)
        scratch.extend(1 + place)  # what was said before
        slots.append(scratch.extend(length))
        memory = None if owner is None else memories[owner]
        spans.append(Span(start, start + length, memory, scratch.view()))
        start += length
    return Plan(pool, tuple(spans), torch.cat(slots), SharingReader())


@pytest.mark.parametrize(
    ("lengths", "owners"),
    [
        ((1, 1, 1, 1), (0, 0, 1, 1)),
        ((5, 3, 4), (0, 0, 1)),
        ((1, 4, 1), (0, 0, 0)),
        ((1, 1, 2), (None, None, 0)),
        ((7,), (None,)),
    ],
)
def test_it_reads_what_the_reference_reads(lengths, owners):
    made = plan(lengths, owners)
    query = torch.randn(sum(lengths), HEADS, 16)
    expected = TorchReader().read(made, 1, query, 0.25)
    torch.testing.assert_close(SharingReader().read(made, 1, query, 0.25), expected)
