"""`lookout bench pruning` on a tiny model; no figure is judged, only what it is made of."""

from __future__ import annotations

import json

import pytest
import torch

from benchmarks.footage import clips, shaped
from benchmarks.pruning import WARM_UP, main
from core.errors import ConfigError
from tests.evaluation.pruning.scenes import folder


@pytest.fixture(autouse=True)
def threads():
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def test_every_method_named_has_a_row_for_each_stream_beside_uniform(tmp_path, capfd):
    model = str(folder(tmp_path / "model"))
    table, rows = tmp_path / "t.md", tmp_path / "r.json"
    call = ["--model", model, "--segments", "2", "--rounds", "1", "--share", "25"]
    call += ["--methods", "none", "visionzip", "--json", str(rows), "--markdown", str(table)]
    assert main(call) == 0
    found = json.loads(rows.read_text())
    assert {row["stream"] for row in found} == {"demo:busy", "shape of Qwen3-VL-2B"}
    by = {(row["stream"], row["method"]): row for row in found}
    assert {method for _, method in by} == {"none", "uniform", "visionzip"}
    for row in found:
        assert row["kept_percent"] == (100 if row["method"] == "none" else 25)
        assert row["ms_per_segment"] > 0
        assert row["peak_extra_kib"] > 0
        has_model = row["stream"] == "demo:busy"
        assert (row["percent_of_encode_and_prefill"] is not None) == has_model
        assert (row["attention_ms"] is not None) == (has_model and row["method"] == "visionzip")
    for stream in ("demo:busy", "shape of Qwen3-VL-2B"):
        assert by[stream, "uniform"]["times_uniform"] == 1
    # 256 tokens of width 2048 in float32 are 2 MiB a step; whoever keeps all copies them.
    assert by["shape of Qwen3-VL-2B", "none"]["peak_extra_kib"] >= 2 * 2048
    assert table.read_text().count("\n| ") == len(found) + 2
    capfd.readouterr()


def test_an_unknown_method_is_refused_with_those_there_are(tmp_path, capsys):
    assert main(["--model", str(folder(tmp_path / "model")), "--methods", "magic"]) == 2
    assert "vcast" in capsys.readouterr().err


def test_a_folder_without_films_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="no films"):
        clips(tmp_path)


def test_shapes_are_dense_tokens_with_attention_that_sums_to_one_in_every_step():
    made = shaped("s", (3, 4), 8, 2, WARM_UP, 2)
    again = shaped("s", (3, 4), 8, 2, WARM_UP, 2)
    for one, same in zip(made.tokens, again.tokens, strict=True):
        assert len(one) == 24
        assert one.attention is not None
        torch.testing.assert_close(one.attention.reshape(2, 12).sum(dim=1), torch.ones(2))
        torch.testing.assert_close(one.features, same.features)
        assert len(one.deepstack) == 2
