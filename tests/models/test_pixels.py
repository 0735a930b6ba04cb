"""The pixels that tokens carry are those under them, of the picture as the tower was shown it."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from core.frames import Frame, Segment
from tests.tiny import CELL, ours, segment

SIZES = [(48, 64), (64, 48), (32, 96)]


def under(one: Segment, step: int, frame: int, row: int, column: int) -> np.ndarray:
    """RGB of one cell, [CELL, CELL, 3]."""
    rows, columns = slice(row * CELL, (row + 1) * CELL), slice(column * CELL, (column + 1) * CELL)
    return one.frames[2 * step + frame].pixels[rows, columns]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("steps", [1, 3])
def test_every_token_carries_the_pixels_of_its_cell_in_each_frame_of_its_step(steps, size):
    """A cell's values come in an order of their own, the same everywhere: here they are sorted."""
    one = segment(3, steps=steps, size=size)
    tokens = ours().encode([one], pixels=True)[0]
    assert tokens.pixels is not None and tokens.pixels.dtype == torch.uint8
    assert tokens.pixels.shape == (len(tokens), 2, 3 * CELL * CELL)
    for place, row in zip(tokens.index.tolist(), tokens.pixels, strict=True):
        step, cell = divmod(place, tokens.grid.per_step)
        for frame in (0, 1):
            expected = under(one, step, frame, *divmod(cell, tokens.grid.w))
            assert np.array_equal(np.sort(row[frame].numpy()), np.sort(expected.flatten()))


def test_one_order_serves_all_cells_frames_and_steps():
    """Pictures made of one repeated cell: every token and frame carries the very same values."""
    cell = np.random.default_rng(0).integers(0, 256, (CELL, CELL, 3), dtype=np.uint8)
    picture = np.tile(cell, (3, 4, 1))
    frames = tuple(Frame(0.5 * n, 0.5 * n, picture) for n in range(4))
    pixels = ours().encode([Segment(0, frames)], pixels=True)[0].pixels
    assert pixels is not None and len(pixels) == 24
    assert torch.equal(pixels, pixels[:1, :1].expand_as(pixels))


def test_segments_of_several_cameras_get_their_own():
    pictures = [segment(i, steps=1 + i, size=SIZES[i]) for i in range(3)]
    together = ours().encode(pictures, pixels=True)
    for one, tokens in zip(pictures, together, strict=True):
        alone = ours().encode([one], pixels=True)[0]
        assert alone.pixels is not None and torch.equal(tokens.pixels, alone.pixels)


def test_asking_for_pixels_changes_no_feature_and_not_asking_gives_none():
    one = segment(0, steps=2)
    plain, asked = ours().encode([one])[0], ours().encode([one], pixels=True)[0]
    assert plain.pixels is None and asked.attention is None
    assert torch.equal(plain.features, asked.features)
