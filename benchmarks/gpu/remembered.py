"""A memory that has watched for hours, without the hours."""

from __future__ import annotations

import numpy as np
import torch

from memory.saving.state import MemoryState
from memory.table import SINK, TEXT, VISUAL, TokenTable
from models.vlm import VideoLanguageModel

_PATTERN = 64  # drawn keys and values, which repeat: what they cost is real, what they say is not
_WORDS = 10  # tokens of a step beside the visual ones


def watched(
    model: VideoLanguageModel, *, seconds: float, period: float, budget: int, side: int, room: int
) -> MemoryState:
    """What a camera holds after so long: its fixed beginning and its newest steps.

    Positions are those of the whole time, so what they are far from is far. Keys and values are on
    the model's device already: many memories are filled in no time.

    Args:
        model: whose memory.
        seconds: watched.
        period: seconds between two temporal steps.
        budget: visual tokens kept of each.
        side: rows, or columns, of the merged grid.
        room: tokens held at most.
    """
    beginning = model.prefix()
    sink, step = len(beginning), budget + _WORDS
    advance = _WORDS + side  # positions that a step takes
    steps = int(seconds / period)
    held_steps = max(0, min(steps, (room - sink) // step))
    numbers = np.arange(steps - held_steps, steps)
    base = (sink + numbers * advance).repeat(step)
    place = np.tile(np.arange(step), held_steps)
    visual = place >= _WORDS
    cell = (place - _WORDS) * side * side // budget  # evenly spread over the grid
    offset = np.where(visual, _WORDS, place)
    rows = np.where(visual, cell // side, 0)
    columns = np.where(visual, cell % side, 0)
    later = np.stack([base + offset, base + offset + rows, base + offset + columns], 1)
    first = beginning.positions.T.numpy()
    tokens = TokenTable(
        np.concatenate([first, later]).astype(np.int64),
        np.concatenate([np.full(sink, SINK), numbers.repeat(step)]).astype(np.int64),
        np.concatenate([np.full(sink, np.nan), (numbers * period).repeat(step)]),
        np.concatenate([np.full(sink, TEXT), np.where(visual, VISUAL, TEXT)]).astype(np.int8),
    )
    held = len(tokens)
    shape = model.shape
    draw = torch.Generator().manual_seed(0)
    size = (2, shape.layers, shape.kv_heads, _PATTERN, shape.head_dim)
    drawn = torch.randn(size, generator=draw).to(model.device, shape.dtype)
    again = -(-held // _PATTERN)
    keys, values = drawn.repeat(1, 1, 1, again, 1)[:, :, :, :held]
    return MemoryState(
        keys=keys,
        values=values,
        rows=torch.arange(held)[None, None],
        tokens=tokens,
        next_position=sink + steps * advance,
        next_group=steps,
        seen=sink + steps * step,
    )
