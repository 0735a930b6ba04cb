"""The spans of a packed forward as the few tensors that a kernel over pages wants."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from core.sending import sent
from memory.observation import Observed
from memory.view import View


@dataclass(frozen=True, eq=False)
class Span:
    """One sequence's part of a packed forward."""

    start: int  # packed tokens [start, stop) are this sequence's
    stop: int
    memory: View | None  # read whole
    scratch: View  # read causally, the same for all heads; its last slots are these tokens
    observed: Observed | None = None  # notes the queries of these tokens
    noted: Tensor | None = None  # int64 [n], of which of them, where the pool is; None: of all

    def __post_init__(self) -> None:
        """Check that the tokens are in the scratch."""
        if not 0 < self.stop - self.start <= self.scratch.length:
            raise ValueError(
                f"a scratch of {self.scratch.length} does not end with tokens "
                f"{self.start} to {self.stop}"
            )

    @cached_property
    def slots(self) -> Tensor:
        """All that these tokens may see, int64 [memory and scratch], in one run."""
        if self.memory is None or not self.memory.length:
            return self.scratch.slots
        return torch.cat([self.memory.slots, self.scratch.slots])


@dataclass(frozen=True, slots=True, eq=False)
class Side:
    """What all spans read of one kind: their memories, or their scratches."""

    pages: Tensor  # int32 [spans, most pages], padded with page 0
    lengths: Tensor  # int32 [spans], of the head that sees most
    even: Tensor  # int32 [spans, kv_heads], the same for each head
    longest: int
    causal: bool
    blind: Tensor | None  # bool [tokens], those that see nothing here; None: there are none
    by_head: Tensor | None = None  # int32 [layers, spans, kv_heads]; None: as even

    def head_lengths(self, layer: int) -> Tensor:
        """Slots that each head sees in this layer, int32 [spans, kv_heads], contiguous."""
        return self.even if self.by_head is None else self.by_head[layer]


@dataclass(frozen=True, slots=True, eq=False)
class Tables:
    """A packed forward, made once and read by every layer."""

    starts: Tensor  # int32 [spans + 1], first packed token of each, then the number of tokens
    longest_query: int
    memory: Side | None  # None if no span has anything to read
    scratch: Side

    @staticmethod
    def of(spans: Sequence[Span], layers: int, kv_heads: int) -> Tables:
        """The tables of spans that follow each other without a gap."""
        counts = [span.stop - span.start for span in spans]
        device = spans[0].scratch.pages.device
        starts = sent(torch.tensor([0, *counts]).cumsum(0).to(torch.int32), device)
        memories = [span.memory for span in spans]
        memory = None
        if any(view is not None and view.length for view in memories):
            memory = _side(memories, counts, device, (layers, kv_heads), causal=False)
        scratch = _side([s.scratch for s in spans], counts, device, (layers, kv_heads), causal=True)
        return Tables(starts, max(counts), memory, scratch)


def _side(
    views: Sequence[View | None],
    counts: list[int],
    device: torch.device,
    heads: tuple[int, int],
    *,
    causal: bool,
) -> Side:
    none = torch.empty(0, dtype=torch.int32, device=device)
    pages = pad_sequence([none if v is None else v.pages for v in views], batch_first=True)
    held = [0 if view is None else view.length for view in views]
    blind = None
    if 0 in held:
        reads_nothing = torch.tensor([n == 0 for n in held])
        blind = sent(reads_nothing.repeat_interleave(torch.tensor(counts)), device)
    by_head = None
    if any(view is not None and view.lengths is not None for view in views):
        rows = [_by_head(v, n, heads, device) for v, n in zip(views, held, strict=True)]
        by_head = torch.stack(rows, dim=1).contiguous()
    lengths = sent(torch.tensor(held, dtype=torch.int32), device)
    even = lengths[:, None].repeat(1, heads[1])
    return Side(pages, lengths, even, max(held), causal, blind, by_head)


def _by_head(
    view: View | None, held: int, heads: tuple[int, int], device: torch.device
) -> Tensor:  # int32 [layers, kv_heads]
    if view is not None and view.lengths is not None:
        return view.lengths
    return torch.full(heads, held, dtype=torch.int32, device=device)
