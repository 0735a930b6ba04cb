"""Which tokens are a step, when steps are worth freezing together, and where each then lies."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from core.sending import sent
from memory.codecs.block import TOKENS, blocks_of
from memory.recall.tiers import Run, Span

_FULL: Final = 0.9  # share of its blocks that a run fills
_MOST_BLOCKS: Final = 3  # that it waits for


def chosen(x: Tensor, rows: NDArray[np.int64]) -> Tensor:
    """Some tokens of [layers, heads, n, d]; a view where they follow each other.

    Args:
        x: of all tokens.
        rows: at least one, increasing.
    """
    first, last = int(rows[0]), int(rows[-1])
    if last - first + 1 == len(rows):
        return x[:, :, first : last + 1]
    return x[:, :, sent(torch.from_numpy(rows), x.device)]


def fills_blocks(tokens: int) -> bool:
    """Whether so many are worth freezing together: blocks have one size, whatever they hold."""
    blocks = blocks_of(tokens)
    return tokens >= TOKENS and (tokens >= _FULL * TOKENS * blocks or blocks > _MOST_BLOCKS)


def parted(gathered: Sequence[Run]) -> tuple[Sequence[Run], list[Run]]:
    """Steps that are frozen together, and later ones: the oldest fill blocks, or are all there are.

    More may have gathered while a device had no memory to freeze them. What is asked of it then
    must not grow with them, or it would never be enough again.

    Args:
        gathered: a step each, oldest first.
    """
    total = 0
    for number, run in enumerate(gathered, 1):
        total += run.layout.tokens
        if fills_blocks(total):
            return gathered[:number], list(gathered[number:])
    return gathered, []


def one_after_the_other(alone: Sequence[Run]) -> tuple[Span, ...]:
    """Where the steps of some runs lie in one of all of them."""
    spans, start = [], 0
    for span in (span for run in alone for span in run.spans):
        spans.append(replace(span, start=start, stop=start + span.stop - span.start))
        start = spans[-1].stop
    return tuple(spans)
