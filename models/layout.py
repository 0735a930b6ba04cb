"""Where tokens stand: the rotary positions of text and of vision, as Qwen3-VL numbers them.

A text token has t = h = w and advances the clock by one. The visual tokens of a temporal step
share its base in t and are offset by row and column in h and w; the clock then advances by the
longer side of the grid, whatever was pruned, so that survivors keep the positions of the dense
sequence.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, slots=True, eq=False)
class Chunk:
    """Tokens laid out for the language model: text, visual tokens, or both."""

    embeds: Tensor  # [n, d]
    positions: Tensor  # int64 [3, n]
    visual: Tensor  # bool [n]
    deepstack: tuple[Tensor, ...]  # each [visual.sum(), d]
    times: Tensor  # float64 [n], stream seconds of the temporal step; NaN for plain text
    next_position: int  # of the token that comes after

    def __len__(self) -> int:
        return int(self.embeds.shape[0])

    def part(self, start: int, stop: int) -> Chunk:
        """Tokens [start, stop); `next_position` stays that of the whole."""
        before = int(self.visual[:start].sum())
        rows = slice(before, before + int(self.visual[start:stop].sum()))
        return Chunk(
            self.embeds[start:stop],
            self.positions[:, start:stop],
            self.visual[start:stop],
            tuple(level[rows] for level in self.deepstack),
            self.times[start:stop],
            self.next_position,
        )


def join(chunks: list[Chunk]) -> Chunk:
    """Chunks one after the other."""
    levels = max(len(c.deepstack) for c in chunks)
    return Chunk(
        torch.cat([c.embeds for c in chunks]),
        torch.cat([c.positions for c in chunks], dim=1),
        torch.cat([c.visual for c in chunks]),
        tuple(
            torch.cat([c.deepstack[level] for c in chunks if c.deepstack])
            for level in range(levels)
        ),
        torch.cat([c.times for c in chunks]),
        chunks[-1].next_position,
    )


def weave(words: Tensor, seen: Tensor, sizes: list[int]) -> Tensor:
    """Embeddings of words and of what was seen in the order in which they stand, [n, d].

    Args:
        words: [w, d].
        seen: visual tokens, [v, d].
        sizes: for each step how many words come before it, how many visual tokens it has, and how
            many words come after it; w and v together.
    """
    texts = torch.split(words, [size for place, size in enumerate(sizes) if place % 3 != 1])
    pictures = torch.split(seen, sizes[1::3])
    steps = zip(texts[::2], pictures, texts[1::2], strict=True)
    return torch.cat([part for step in steps for part in step])


def text_positions(start: int, length: int) -> Tensor:
    """Positions of `length` text tokens, int64 [3, length]."""
    return torch.arange(start, start + length).expand(3, -1)


def vision_positions(start: int, cells: Tensor, columns: int) -> Tensor:
    """Positions of visual tokens of one temporal step, int64 [3, k].

    Args:
        start: the step's base position.
        cells: raster places on the step's merged grid, int64 [k].
        columns: of that grid.
    """
    t = torch.full_like(cells, start)
    return torch.stack([t, start + cells // columns, start + cells % columns])
