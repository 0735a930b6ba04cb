"""Films that are made on the spot, and how fast sources read them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import av
import numpy as np
import pytest
import torch

from benchmarks.gpu.context import Context
from benchmarks.gpu.footage import ENCODERS, FPS, encoder, write
from benchmarks.gpu.scale import DRY
from benchmarks.gpu.video import decoding
from core.errors import SourceUnavailable

SIZE = (192, 128)


@pytest.mark.parametrize("by", ENCODERS)
def test_a_film_moves_and_is_as_long_and_as_large_as_asked(tmp_path: Path, by: str) -> None:
    if by not in av.codecs_available:
        pytest.skip(f"PyAV has no {by} here")
    film = write(tmp_path / "film.mp4", SIZE, 2.0, by)
    with av.open(str(film.path)) as container:
        pictures = [p.to_ndarray(format="rgb24") for p in container.decode(video=0)]
    assert len(pictures) == 2 * FPS
    assert pictures[0].shape == (SIZE[1], SIZE[0], 3)
    moved = np.abs(pictures[0].astype(int) - pictures[-1]).mean()
    assert moved > 5, "a still picture costs a decoder nothing"
    assert film.encoder == by and film.megabits_per_s > 0


def test_every_decoder_has_a_row_for_each_number_of_threads_or_says_why_not() -> None:
    context = Context(DRY, torch.device("cpu"), Path(), dry=True)
    rows = decoding(context)
    if encoder() is None:
        assert "no encoder" in rows[0]["skipped"]
        return
    measured = [row for row in rows if row["decoder"] == "cpu"]
    assert [row["threads"] for row in measured] == list(DRY.threads)
    for row in measured:
        assert row["decoded_by"] == "cpu"
        assert row["frames_per_s"] > 0 and row["cpu_s_per_stream_s"] > 0
    (card,) = (row for row in rows if row["decoder"] == "cuda")
    assert card["skipped"] == "there is no CUDA device"


def test_a_film_that_cannot_be_read_is_an_error_and_no_figure(monkeypatch) -> None:
    def broken(path: Path, *rest: object):
        film = write(path, *rest)
        path.write_bytes(b"no film")
        return film

    monkeypatch.setattr("benchmarks.gpu.video.write", broken)
    context = Context(replace(DRY, threads=(1,)), torch.device("cpu"), Path(), dry=True)
    with pytest.raises(SourceUnavailable):
        decoding(context)
