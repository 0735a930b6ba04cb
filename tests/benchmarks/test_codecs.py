"""`lookout bench codecs` on a tiny model; no figure of time is judged."""

from __future__ import annotations

import json
from fractions import Fraction

import av
import numpy as np
import pytest
import torch

from benchmarks.codecs import main
from benchmarks.held import drawn, watched
from core.errors import ConfigError
from memory.codecs.registry import codecs
from models.loading import load_model
from tests.evaluation.pruning.scenes import folder


@pytest.fixture(autouse=True)
def threads():
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def test_every_codec_has_a_row_for_each_source_beside_block(tmp_path, capfd):
    table, out = tmp_path / "t.md", tmp_path / "r.json"
    call = ["--model", str(folder(tmp_path / "model")), "--tokens", "70", "--layers", "1"]
    assert main([*call, "--rounds", "1", "--json", str(out), "--markdown", str(table)]) == 0
    rows = json.loads(out.read_text())
    names = ("demo:busy", "shape of Qwen3-VL-2B")
    by = {(row["keys and values"], row["codec"]): row for row in rows}
    assert set(by) == {(name, codec.label) for name in names for codec in codecs()}
    for row in rows:
        assert row["freeze_ms"] > 0 and row["thaw_torch_ms"] > 0
        assert (row["attend_torch_ms"] is not None) == (row["codec"].split("(")[0] == "block")
    for name in names:
        block, plain, finer = (by[name, c] for c in ("block", "plain", "block(bits=4)"))
        assert block["freeze_times_block"] == block["thaw_torch_times_block"] == 1
        assert plain["keys_lost_percent"] == plain["values_lost_percent"] == 0
        assert 0 < finer["keys_lost_percent"] < block["keys_lost_percent"] < 100
        assert block["bits"] < finer["bits"] < plain["bits"]
    assert by["shape of Qwen3-VL-2B", "plain"]["bits"] == pytest.approx(16, abs=0.2)
    assert table.read_text().count("\n| ") == len(rows) + 2
    capfd.readouterr()


def test_an_unknown_codec_or_nothing_to_measure_is_refused(capsys):
    assert main(["--codecs", "magic"]) == 2
    assert "block_ternary" in capsys.readouterr().err
    assert main(["--rounds", "0"]) == 2
    assert "at least 1" in capsys.readouterr().err


@torch.inference_mode()
def test_what_is_watched_are_bare_keys_of_as_many_tokens_as_were_asked_for(tmp_path):
    held = watched(load_model(str(folder(tmp_path / "model"))), "demo:busy", 30)
    assert held.keys.shape == held.values.shape and held.keys.shape[2] == 30
    assert held.positions.shape == (30, 3) and (held.positions.diff(dim=0)[:, 0] >= 0).all()
    # A word's key in the first layer follows from the word and its position alone.
    turned = held.rotation.put(held.keys, held.positions)
    bare_twins, turned_twins = (int(pairs(x[0, 0]).sum()) for x in (held.keys, turned))
    assert bare_twins > 30 and turned_twins < bare_twins


def pairs(keys: torch.Tensor) -> torch.Tensor:
    """Which of [n, d] are alike, bool [n, n]; each is like itself."""
    return torch.cdist(keys, keys, compute_mode="donot_use_mm_for_euclid_dist") < 1e-4


def test_drawn_keys_have_loud_channels_and_are_the_same_every_time():
    one, same = (drawn("s", (2, 1, 16), 64, torch.device("cpu")) for _ in range(2))
    assert torch.equal(one.keys, same.keys) and torch.equal(one.values, same.values)
    size = one.keys.float().abs().mean((0, 1, 2))
    assert size[::8].min() > size[torch.arange(16) % 8 > 0].max()


def test_a_source_that_shows_too_little_is_refused(tmp_path):
    film = tmp_path / "short.mp4"
    with av.open(str(film), "w") as container:
        stream = container.add_stream("mpeg4", rate=Fraction(4))
        stream.width = stream.height = 64
        for _ in range(4):
            picture = av.VideoFrame.from_ndarray(np.zeros((64, 64, 3), np.uint8), format="rgb24")
            container.mux(stream.encode(picture))
        container.mux(stream.encode(None))
    model = load_model(str(folder(tmp_path / "model")))
    with torch.inference_mode(), pytest.raises(ConfigError, match="shows"):
        watched(model, str(film), 5000)
