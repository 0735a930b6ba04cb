"""What a GPU does with pictures, tried on the CPU beside the exact way; and the tower's places."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from transformers import Qwen3VLForConditionalGeneration

from core.frames import Frame
from models.pictures import DevicePictures, HostPictures, pictures_for
from models.preprocess import patchify
from models.qwen3_vl import Qwen3VL
from models.tower import KEPT, Places
from tests.tiny import CELL, MERGE, PATCH, ours, segment, stock, tokenizer

CUT = {"patch": PATCH, "merge": MERGE, "temporal": 2}
LEVEL = 1 / 127.5  # one of 255, as pixel values are scaled


def frames(pictures: list[np.ndarray]) -> list[Frame]:
    return [Frame(n / 4, n / 4, pixels) for n, pixels in enumerate(pictures)]


def scene(count: int, height: int, width: int) -> list[np.ndarray]:
    """Smooth shades with hard edges and noise: where filters would differ most."""
    draw = np.random.default_rng(height)
    rows, columns = np.mgrid[:height, :width]
    found = []
    for n in range(count):
        shade = 127 + 100 * np.sin((rows + 3 * n) / 17)[..., None] * np.cos(columns / 23)[..., None]
        picture = np.repeat(shade, 3, axis=2) + draw.normal(0, 12, (height, width, 3))
        picture[height // 4 : height // 2, width // 4 : width // 2] = (255, 0, 0)
        found.append(picture.clip(0, 255).astype(np.uint8))
    return found


@pytest.mark.parametrize("count", [1, 2, 5])
def test_without_resizing_the_device_makes_the_very_same_patches(count: int) -> None:
    pictures = scene(count, 4 * CELL, 6 * CELL)
    size = (4 * CELL, 6 * CELL)
    exact, grid = patchify(pictures, size, **CUT)
    found, same = DevicePictures(torch.device("cpu"))(frames(pictures), size, **CUT)
    assert torch.equal(found, exact) and torch.equal(same, grid)


@pytest.mark.parametrize(("height", "width"), [(480, 640), (97, 131), (40, 40)])
def test_resized_pictures_differ_from_the_exact_ones_by_a_level_at_most(height, width) -> None:
    pictures = scene(2, height, width)
    size = (8 * CELL, 10 * CELL)
    exact, _ = patchify(pictures, size, **CUT)
    found, _ = DevicePictures(torch.device("cpu"))(frames(pictures), size, **CUT)
    off = (found - exact).abs()
    assert off.max() <= 1.01 * LEVEL
    assert (off > 0).float().mean() < 0.01


def test_what_cannot_be_cut_is_refused_as_on_the_cpu() -> None:
    device = DevicePictures(torch.device("cpu"))
    with pytest.raises(ValueError, match="not a multiple"):
        device(frames(scene(1, 32, 32)), (30, 32), **CUT)
    with pytest.raises(ValueError, match="no frame"):
        device([], (32, 32), **CUT)


def test_the_cpu_keeps_the_exact_way_and_other_devices_do_not() -> None:
    assert isinstance(pictures_for(torch.device("cpu")), HostPictures)
    assert isinstance(pictures_for(torch.device("cuda")), DevicePictures)


def test_a_model_sees_through_either_what_transformers_sees() -> None:
    model = stock(3)
    one = segment(4, steps=2)
    values, grid = patchify([f.pixels for f in one.frames], (48, 64), **CUT)
    wanted = model.model.visual(values, grid_thw=grid)
    fresh = Qwen3VLForConditionalGeneration(type(model.config)(**model.config.to_dict()))
    fresh.load_state_dict(model.state_dict())
    adapted = Qwen3VL(
        fresh.eval(), tokenizer(), ours(3).info, min_pixels=4 * CELL**2, max_pixels=64 * CELL**2,
        pictures=DevicePictures(torch.device("cpu")),
    )  # fmt: skip
    for seer in (ours(3), adapted):
        seen = seer.encode([one])[0]
        assert torch.allclose(seen.features, wanted.pooler_output, atol=1e-5)
        for level, expected in zip(seen.deepstack, wanted.deepstack_features, strict=True):
            assert torch.allclose(level, expected, atol=1e-5)


def test_places_are_those_the_tower_works_out_itself_whoever_the_steps_belong_to() -> None:
    tower = ours()._model.model.visual
    places = Places(tower, torch.device("cpu"))
    grids = torch.tensor([[2, 6, 8], [1, 6, 8]])
    pixels = torch.randn(3 * 48, 3 * 2 * PATCH**2, generator=torch.Generator().manual_seed(1))
    own = tower(pixels, grid_thw=grids).pooler_output
    handed = tower(pixels, grid_thw=grids, **places.of(grids)).pooler_output
    assert torch.equal(own, handed)
    assert places.of(torch.tensor([[2, 6, 8], [1, 8, 6]])) == {}


def test_places_of_many_sizes_are_made_again_and_not_kept_for_ever() -> None:
    places = Places(ours()._model.model.visual, torch.device("cpu"))
    for steps in range(1, KEPT + 5):
        assert len(places.of(torch.tensor([[steps, 4, 4]]))["lengths"]) == steps
    assert len(places._made) == KEPT
    assert places.of(torch.tensor([[1, 4, 4]]))["lengths"] == [16]
