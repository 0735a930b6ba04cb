"""How attention reads memory: two partial attentions merged by their log-sum-exp.

A query sees (A) a read-only view of a memory, all of it, in any slot order, and (B) its own
scratch, causally.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import torch
from torch import Tensor

from memory.pool import KVShape, PagePool
from memory.readers.tables import Span, Tables


@dataclass(frozen=True, eq=False)
class Plan:
    """What one packed forward reads and writes; handed to every layer."""

    pool: PagePool
    spans: tuple[Span, ...]
    slots: Tensor  # int64 [tokens], flat slots where each packed token's keys and values go
    reader: Reader

    @cached_property
    def tables(self) -> Tables:
        """The spans for kernels over pages; made when a reader first asks, then kept."""
        return Tables.of(self.spans, self.pool.shape.layers, self.pool.shape.kv_heads)

    @cached_property
    def masks(self) -> dict[Span, Tensor]:
        """What is hidden from the tokens of a span: made by the first layer, read by all others."""
        return {}

    def attend(self, layer: int, query: Tensor, key: Tensor, value: Tensor, scale: float) -> Tensor:
        """Store the tokens' keys and values, then attend; [tokens, heads, head_dim].

        Args:
            layer: decoder layer.
            query: rotated, [tokens, heads, head_dim].
            key: rotated, [tokens, kv_heads, head_dim].
            value: [tokens, kv_heads, head_dim].
            scale: of the scores.
        """
        for store, fresh in ((self.pool.keys, key), (self.pool.values, value)):
            store[layer].flatten(0, 1)[self.slots] = fresh.to(store.dtype)
        for span in self.spans:
            if span.observed is not None:
                asked = query[span.start : span.stop]
                noted = asked if span.noted is None else asked[span.noted]
                span.observed.note(layer, noted)
        return self.reader.read(self, layer, query, scale)


@dataclass(frozen=True, eq=False)
class StaticPlan(Plan):
    """A plan whose tables were made before and stay where they are, whatever stands in them.

    It names no spans: each packed token is a sequence of its own, and none is observed.
    """

    made: Tables

    @property
    def tables(self) -> Tables:
        """Those that were made."""
        return self.made


@dataclass(frozen=True, slots=True)
class Demand:
    """What a reader will have to read."""

    device: torch.device
    shape: KVShape
    page_size: int
    per_head: bool = False  # whether heads may hold different numbers of tokens


class Reader(ABC):
    """Computes the attention of a plan; backends differ only in speed."""

    # Whether it reads tables alone, and on the device: what it did can be done again with other
    # numbers in the same tables.
    replayable: ClassVar[bool] = False
    by_head: ClassVar[bool] = True  # whether heads may hold different numbers of tokens

    @abstractmethod
    def read(self, plan: Plan, layer: int, query: Tensor, scale: float) -> Tensor:
        """Attention output of every packed token, [tokens, heads, head_dim]."""

    @classmethod
    def refuses(cls, demand: Demand) -> str | None:
        """Why it cannot read that here, in a few words; None: it can."""
        return None
