"""Figures against the length of a stream, as pictures."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from benchmarks.live.plot import draw as draw_live
from benchmarks.memory_plot import draw as draw_memory
from core.errors import ConfigError

MEMORY = [
    {"minutes": minutes, "preset": name, "held_bytes": 10**6, "ms_per_segment": 8.0 * times}
    | {"ms_to_first_token": 5.0 * times}
    for name, times in (("steady", 1.0), ("growing", 2.0))
    for minutes in (1.0, 60.0)
]
INTERVAL = {"decode_slower_percent_low": -20.0, "decode_slower_percent_high": 30.0}
LATE = {"long_late_percent_low": 0.0, "long_late_percent_high": 3.0}
LIVE = [
    {"minutes": minutes, "contender": name, "ttft_p50_ms": 8.0, "ttft_p95_ms": 20.0}
    | {"decode_slower_percent": -4.0, "long_late_percent": 0.0, "held_bytes": 10**6}
    | INTERVAL
    | LATE
    for name in ("lookout", "serial")
    for minutes in (1.0, 60.0)
]


def picture(path):
    pixels = cv2.imread(str(path))
    assert pixels is not None, "it is no picture"
    return pixels


def test_what_a_memory_costs_is_drawn_and_other_figures_make_another_picture(tmp_path):
    draw_memory(MEMORY, tmp_path / "a.png")
    draw_memory([row | {"ms_per_segment": 9.0} for row in MEMORY], tmp_path / "b.png")
    assert not np.array_equal(picture(tmp_path / "a.png"), picture(tmp_path / "b.png"))


@pytest.mark.parametrize("column", [*INTERVAL, "ttft_p95_ms", "long_late_percent_high"])
def test_how_far_a_figure_may_be_off_is_drawn(column, tmp_path):
    draw_live(LIVE, tmp_path / "a.png")
    draw_live([row | {column: row[column] + 10} for row in LIVE], tmp_path / "b.png")
    assert not np.array_equal(picture(tmp_path / "a.png"), picture(tmp_path / "b.png"))


def test_who_gave_up_or_is_not_measured_has_no_point_there(tmp_path):
    gone = dict.fromkeys(LIVE[0]) | {"minutes": 60.0, "contender": "everything"}
    begun = LIVE[0] | {"contender": "everything", "decode_slower_percent": None}
    draw_live([*LIVE, begun, gone], tmp_path / "a.png")
    assert picture(tmp_path / "a.png").any()


def test_a_picture_that_cannot_be_written_is_told_with_its_path(tmp_path):
    with pytest.raises(ConfigError, match=r"--plot .*missing/a\.png: No such file"):
        draw_memory(MEMORY, tmp_path / "missing" / "a.png")
