"""What pruning kept, from the engine to pictures on disk and to the wire."""

from __future__ import annotations

import base64
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from core.errors import CameraError, ConfigError
from core.frames import Frame, Segment
from core.kept import KeptStep
from core.tokens import Grid, VisualTokens
from engine.perception import kept_steps
from pruning.uniform import Uniform
from pruning.vcast import VCast
from stream.compose import open_house
from stream.conversations.wire import kept
from stream.kept import DIM, KeptPictures, lit
from stream.replay import Replay
from stream.settings import Settings
from stream.sources import MaxPace, open_source
from tests.evaluation.pruning.scenes import folder
from worlds.catalog import open_world


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory) -> Path:
    return folder(tmp_path_factory.mktemp("model"))


def frames(*times: float, value: int = 200) -> Segment:
    return Segment(0, tuple(Frame(t, t, np.full((40, 60, 3), value, np.uint8)) for t in times))


def step(time: float, *cells: int) -> KeptStep:
    return KeptStep(time, 2, 3, cells)


def light(pixels: np.ndarray) -> np.ndarray:
    """Mean brightness of each place of a grid of 4 x 4."""
    return pixels.reshape(4, pixels.shape[0] // 4, 4, pixels.shape[1] // 4, 3).mean(axis=(1, 3, 4))


def names(where: Path) -> list[str]:
    return sorted(path.name for path in where.iterdir())


def test_the_places_of_each_step_are_those_of_its_tokens():
    index = torch.tensor([0, 5, 6, 7, 18, 23])
    tokens = VisualTokens(torch.zeros(6, 2), index, Grid(4, 2, 3), (0.5, 1.5, 2.5, 3.5))
    assert kept_steps(tokens) == [
        KeptStep(0.5, 2, 3, (0, 5)),
        KeptStep(1.5, 2, 3, (0, 1)),
        KeptStep(2.5, 2, 3, ()),
        KeptStep(3.5, 2, 3, (0, 5)),
    ]


def test_a_lit_picture_is_dim_where_tokens_were_dropped_and_nowhere_else():
    picture = lit(frames(0.0).frames[0].pixels, step(0.0, 0, 5))
    bright = np.zeros((40, 60), bool)
    bright[:20, :20] = bright[20:, 40:] = True
    assert (picture[bright] == 200).all()
    assert (picture[~bright] == int(200 * np.float32(DIM))).all()


async def test_each_step_is_saved_as_its_own_first_frame_even_when_decided_later(tmp_path):
    pictures = KeptPictures(tmp_path / "new" / "folder")
    await pictures(frames(0.0, 0.25, value=50), ())
    await pictures(frames(0.5, 0.75, value=250), (step(0.125, 0),))
    await pictures(None, (step(0.625, 0, 1),))
    where = tmp_path / "new" / "folder"
    assert names(where) == ["000000.125s-1of6.jpg", "000000.625s-2of6.jpg"]
    tops = [int(cv2.imread(str(where / name))[5, 5, 0]) for name in names(where)]
    assert tops == pytest.approx([50, 250], abs=4)


async def test_a_folder_that_cannot_be_written_is_said_by_name(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="--save-kept .*file"):
        KeptPictures(tmp_path / "file")
    pictures = KeptPictures(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    with pytest.raises(CameraError, match="--save-kept .*gone"):
        await pictures(frames(0.0), (step(0.0, 1),))


@pytest.mark.parametrize("policy", [Uniform(), VCast(lookahead=1)], ids=lambda p: p.label)
async def test_a_replay_saves_a_picture_of_every_step_that_entered_memory(
    checkpoint, tmp_path, policy
):
    settings = Settings.model_validate(
        {"model": {"name": str(checkpoint)}, "engine": {"max_cameras": 1}}
    )
    pruning = settings.pruning.model_copy(update={"policy": policy, "budget": 4})
    settings = settings.model_copy(update={"pruning": pruning})
    url = "demo:shapes?seed=3"
    async with open_house(settings, pace=MaxPace()) as house:
        pictures = KeptPictures(tmp_path)
        replay = Replay(house, [], duration=2.0, witness=pictures)
        _, summary = await replay.run(lambda: open_source(url, pace=MaxPace()), url)
    saved = names(tmp_path)
    assert len(saved) == summary.frames_remembered // 2 > 0
    counts = [int(name.split("-")[1].split("of")[0]) for name in saved]
    assert sum(counts) == summary.tokens_kept
    world = open_world("shapes", 3)
    for name, count in zip(saved, counts, strict=True):
        shown = light(cv2.imread(str(tmp_path / name)))
        whole = light(world.frame(float(name.split("s-")[0]) - 0.125))
        assert int((shown / whole > (1 + DIM) / 2).sum()) == count


def test_bits_on_the_wire_are_the_places_kept():
    sent = kept(KeptStep(1.25, 3, 6, (0, 7, 8, 17)))
    assert (sent.pts_ms, sent.rows, sent.columns) == (1250, 3, 6)
    assert base64.b64decode(sent.cells) == bytes([0b10000001, 0b10000000, 0b01000000])
    large = kept(KeptStep(0.0, 64, 64, tuple(range(4096))))
    assert len(large.cells) == 684, "half a kilobyte for the largest pictures"
