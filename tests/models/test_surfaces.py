"""Surfaces beside the decoder's own conversion on the host, and on their way into the model."""

from __future__ import annotations

from dataclasses import replace

import av
import numpy as np
import pytest
import torch

from core.frames import Frame, Segment, Surface
from models.pictures import DevicePictures
from models.preprocess import patchify
from models.qwen3_vl import Qwen3VL
from models.surfaces import Surfaces, rgb
from stream.sources.hardware import surface_of
from tests.tiny import CELL, MERGE, PATCH, ours, stock, tokenizer

CUT = {"patch": PATCH, "merge": MERGE, "temporal": 2}
CPU = torch.device("cpu")
LIMITED, FULL = 1, 2
LEVELS = 3  # the host's conversion rounds down in between
SIZE = (6 * CELL, 8 * CELL)


def scene(number: int = 0, size: tuple[int, int] = SIZE) -> np.ndarray:
    rows, columns = np.mgrid[: size[0], : size[1]]
    waves = rows / 9 + number, columns / 11 - number, (rows + columns) / 13
    return np.stack([127 + 110 * np.sin(wave) for wave in waves], -1).astype(np.uint8)


def planar(number: int = 0, space: int = 5, span: int = LIMITED) -> av.VideoFrame:
    """As a decoder on the host leaves it."""
    picture = av.VideoFrame.from_ndarray(scene(number), format="rgb24")
    picture = picture.reformat(format="yuv420p", dst_color_range=span)
    picture.colorspace, picture.color_range = space, span
    return picture


def surface(picture: av.VideoFrame) -> Surface:
    """As a decoder on a card leaves it, but on the host."""
    there = picture.reformat(format="nv12")
    there.colorspace, there.color_range = picture.colorspace, picture.color_range
    found = surface_of(there)
    assert found is not None
    return found


@pytest.mark.parametrize("space", [1, 2, 5, 6, 9])  # BT.709, unknown, BT.601 twice, BT.2020
@pytest.mark.parametrize("span", [LIMITED, FULL])
def test_a_surface_shows_what_the_host_s_decoder_shows(space: int, span: int) -> None:
    picture = planar(space=space, span=span)
    shown = rgb(surface(picture)).numpy().astype(int)
    assert np.abs(shown - picture.to_ndarray(format="rgb24")).max() <= LEVELS


@pytest.mark.parametrize("wrong", [{"weights": (0.2126, 0.0722)}, {"full_range": True}])
def test_other_weights_or_another_range_would_show(wrong: dict) -> None:
    picture = planar()
    shown = rgb(replace(surface(picture), **wrong)).numpy().astype(int)
    assert np.abs(shown - picture.to_ndarray(format="rgb24")).max() > 2 * LEVELS


@pytest.mark.parametrize("turns", range(4))
def test_a_turned_picture_stands_upright(turns: int) -> None:
    lying = surface(planar())
    upright = rgb(replace(lying, quarter_turns=turns)).numpy()
    assert np.array_equal(upright, np.rot90(rgb(lying).numpy(), turns))


def test_planes_are_taken_where_they_are_and_outlive_their_picture() -> None:
    there = planar().reformat(format="nv12")
    found = surface_of(there)
    assert found is not None
    assert found.luma.data_ptr() == there.planes[0].buffer_ptr
    before = found.luma.clone()
    del there
    assert torch.equal(found.luma, before)


@pytest.mark.parametrize(
    ("form", "size"), [("yuv420p", SIZE), ("p010le", SIZE), ("nv12", (48, 63)), ("nv12", (47, 64))]
)
def test_other_formats_and_odd_sizes_are_left_to_the_host(form: str, size: tuple[int, int]) -> None:
    picture = av.VideoFrame.from_ndarray(scene(size=size), format="rgb24")
    assert surface_of(picture.reformat(format=form)) is None


def test_colour_of_another_picture_is_refused() -> None:
    one = surface(planar())
    with pytest.raises(ValueError, match="colour of"):
        rgb(replace(one, chroma=one.chroma[:-1]))


def test_on_the_host_nothing_is_kept_waiting() -> None:
    reading = Surfaces()
    found = reading.read([surface(planar(n)) for n in range(3)])
    assert found.shape == (3, *SIZE, 3) and len(reading) == 0


def frame(number: int, *, upstairs: bool = True) -> Frame:
    picture = planar(number)
    pixels = picture.to_ndarray(format="rgb24")
    return Frame(number / 4, number / 4, pixels, surface(picture) if upstairs else None)


def test_patches_are_made_of_surfaces_and_not_of_pixels() -> None:
    frames = [frame(n) for n in range(3)]
    blind = [replace(one, pixels=np.zeros_like(one.pixels)) for one in frames]
    shown = [rgb(one.surface).numpy() for one in frames if one.surface]
    wanted, grid = patchify(shown, SIZE, **CUT)
    found, same = DevicePictures(CPU)(blind, SIZE, **CUT)
    assert torch.equal(found, wanted) and torch.equal(same, grid)


def test_where_a_frame_has_no_surface_here_all_go_by_their_pixels() -> None:
    there = frame(1)
    assert there.surface is not None
    away = Surface(there.surface.luma.to("meta"), there.surface.chroma.to("meta"))
    for frames in ([frame(0), frame(1, upstairs=False)], [frame(0), replace(there, surface=away)]):
        wanted, _ = patchify([one.pixels for one in frames], SIZE, **CUT)
        found, _ = DevicePictures(CPU)(frames, SIZE, **CUT)
        assert torch.equal(found, wanted)


def test_another_picture_takes_the_surface_away() -> None:
    changed = frame(0).showing(np.zeros((*SIZE, 3), np.uint8))
    assert changed.surface is None and not changed.pixels.any()
    assert (changed.pts, changed.arrived) == (0.0, 0.0)


def test_the_model_sees_the_same_through_surfaces_and_pixels() -> None:
    seer = Qwen3VL(
        stock(0), tokenizer(), ours(0).info, min_pixels=4 * CELL**2,
        max_pixels=64 * CELL**2, pictures=DevicePictures(CPU),
    )  # fmt: skip
    frames = [frame(n) for n in range(4)]
    above = seer.encode([Segment(0, tuple(frames))], pixels=True)[0]
    below = ours().encode(
        [Segment(0, tuple(replace(f, surface=None) for f in frames))], pixels=True
    )
    assert above.grid == below[0].grid and above.pixels is not None
    assert below[0].pixels is not None
    assert (above.pixels.int() - below[0].pixels.int()).abs().max() <= LEVELS
    assert torch.allclose(above.features, below[0].features, atol=0.1)
