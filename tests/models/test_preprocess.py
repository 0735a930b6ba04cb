from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.preprocess import fit_size, patchify

# Made once with Qwen3VLVideoProcessor of transformers 5.23 over torchvision 0.28: digests of its
# pixel values for random pictures, resized or not, with even and odd numbers of frames.
GOLDEN = json.loads((Path(__file__).parent / "golden" / "video_processor.json").read_text())


@pytest.mark.parametrize("case", GOLDEN, ids=lambda c: f"{c['height']}x{c['width']}")
def test_pixel_values_are_bit_for_bit_those_of_the_stock_processor(case):
    shape = (case["frames"], case["height"], case["width"], 3)
    frames = np.random.default_rng(case["seed"]).integers(0, 256, shape, dtype=np.uint8)
    values, grid = patchify(frames, (case["rows"], case["columns"]), patch=case["patch"])
    assert grid[0].tolist() == case["grid"]
    assert float(values.double().sum()) == pytest.approx(case["sum"], rel=1e-12)
    assert hashlib.sha256(values.numpy().tobytes()).hexdigest() == case["sha256"]


@given(
    height=st.integers(1, 3000),
    width=st.integers(1, 3000),
    low=st.integers(1, 40),
    extra=st.integers(0, 400),
)
def test_a_fitted_size_is_a_multiple_within_bounds(height, width, low, extra):
    factor = 32
    least = low * factor**2
    most = least + extra * factor**2
    if max(height, width) / min(height, width) > 200:
        with pytest.raises(ValueError, match="aspect ratio"):
            fit_size(height, width, factor=factor, min_pixels=least, max_pixels=most)
        return
    rows, columns = fit_size(height, width, factor=factor, min_pixels=least, max_pixels=most)
    assert rows % factor == columns % factor == 0
    assert rows >= factor
    assert columns >= factor
    assert rows * columns <= most


def test_an_odd_last_frame_is_repeated():
    frames = np.random.default_rng(0).integers(0, 256, (3, 32, 32, 3), dtype=np.uint8)
    odd, grid = patchify(frames, (32, 32))
    even, _ = patchify(np.concatenate([frames, frames[-1:]]), (32, 32))
    assert grid.tolist() == [[2, 2, 2]]
    assert (odd == even).all()


@pytest.mark.parametrize(("count", "size"), [(0, (32, 32)), (2, (30, 32))])
def test_what_cannot_be_cut_is_refused(count, size):
    frames = [np.zeros((32, 32, 3), np.uint8)] * count
    with pytest.raises(ValueError, match="frame|multiple"):
        patchify(frames, size)


def test_an_empty_picture_has_no_size():
    with pytest.raises(ValueError, match="no content"):
        fit_size(0, 10, factor=32, min_pixels=1024, max_pixels=9999)
