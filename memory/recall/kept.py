"""All that an archive holds as plain values on the host: what is written to disk and read again."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from memory.codecs.codec import Codec
from memory.codecs.frozen import Frozen
from memory.recall.disk import File
from memory.recall.tiers import Span


@dataclass(frozen=True, slots=True, eq=False)
class Kept:
    """A run with its bytes."""

    frozen: Frozen  # on the host
    spans: tuple[Span, ...]  # of its steps, oldest first
    landmarks: Tensor  # bfloat16 [steps, layers, kv_heads, d]


@dataclass(frozen=True, slots=True, eq=False)
class Away:
    """A run whose bytes lie in a file of the archive's own."""

    file: File
    tokens: int
    wide: bool  # whether its positions take 32 bits each
    spans: tuple[Span, ...]
    landmarks: Tensor  # bfloat16 [steps, layers, kv_heads, d]


@dataclass(frozen=True, slots=True, eq=False)
class Archived:
    """What an archive holds; changes no more."""

    codec: Codec
    runs: tuple[Kept, ...]  # oldest first
    alone: tuple[Kept, ...]  # newer than all runs, one step each, as it is
    forgotten: int  # temporal steps
    away: tuple[Away, ...] = ()  # oldest first
