from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from core.histogram import Histogram
from stream.cameras.answer import AnswerResult
from stream.cameras.ladder import RUNGS
from stream.cameras.view import CameraView
from stream.metrics import Metrics
from tests.stream.conversations.test_wire import view

RESULT = AnswerResult("a", "stop", None, 9, 3, 9, 1.0, 20.0, 40.0, 100.0, None, ())


def scraped(*views: CameraView, metrics: Metrics | None = None) -> dict[str, Any]:
    """Samples by name, labels sorted behind it."""
    text = (metrics or Metrics(lambda: views)).text().decode()
    return {
        f"{sample.name}{sorted(sample.labels.items())}": sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_every_tier_of_an_archive_is_scraped_and_a_camera_without_one_has_none():
    seen = scraped(view(name="porch"), view(name="yard", archive=None))
    porch = "[('camera', 'porch'), ('tier', '{}')]"
    for name, on_disk in (
        ("runs", 6), ("bytes", 7), ("capacity_bytes", 8), ("read_steps_total", 9)
    ):  # fmt: skip
        assert seen[f"lookout_archive_{name}{porch.format('disk')}"] == on_disk
        assert f"lookout_archive_{name}{porch.format('host')}" not in seen
    assert seen["lookout_archive_forgotten_steps_total[('camera', 'porch')]"] == 11
    assert seen["lookout_archive_lost_steps_total[('camera', 'porch')]"] == 12
    assert not [name for name in seen if "archive" in name and "yard" in name]


def test_the_lag_of_each_camera_is_a_histogram_of_its_own():
    slow, fast = Histogram(), Histogram()
    for lag in (0.004, 0.3, 90.0):
        slow.note(lag)
    fast.note(0.01)
    seen = scraped(
        view(name="slow", lags=slow.counts),
        view(name="fast", lags=fast.counts),
        view(name="new", lags=None),
    )
    bucket = "lookout_camera_lag_seconds_bucket[('camera', 'slow'), ('le', '{}')]"
    assert [seen[bucket.format(le)] for le in ("0.0025", "0.005", "0.5", "60.0", "+Inf")] == [
        0, 1, 2, 2, 3,
    ]  # fmt: skip
    assert seen["lookout_camera_lag_seconds_count[('camera', 'slow')]"] == 3
    assert seen["lookout_camera_lag_seconds_sum[('camera', 'slow')]"] == pytest.approx(90.304)
    assert seen["lookout_camera_lag_seconds_count[('camera', 'fast')]"] == 1
    assert "lookout_camera_lag_seconds_count[('camera', 'new')]" not in seen


def test_gaps_between_tokens_add_up_over_answers():
    metrics, one, two = Metrics(lambda: ()), Histogram(), Histogram()
    one.note(0.004)
    two.note(0.3)
    for gaps in (one.counts, two.counts, None):
        metrics.answered("completed", replace(RESULT, gaps=gaps))
    seen = scraped(metrics=metrics)
    assert seen["lookout_inter_token_seconds_count[]"] == 2
    assert seen["lookout_inter_token_seconds_bucket[('le', '0.005')]"] == 1
    assert seen["lookout_inter_token_seconds_sum[]"] == pytest.approx(0.304)
    assert seen["lookout_time_to_first_token_seconds_count[]"] == 3


def test_what_a_camera_needs_of_the_engine_is_a_share():
    seen = scraped(view(name="a", load=0.25), view(name="b", load=None))
    assert seen["lookout_camera_load_ratio[('camera', 'a')]"] == 0.25
    assert "lookout_camera_load_ratio[('camera', 'b')]" not in seen


def test_what_a_camera_gave_up_is_a_number_that_rises():
    names = [view(name=str(rung), overload=str(rung), frames_skipped=7) for rung in RUNGS]
    seen = scraped(*names)
    rungs = [seen[f"lookout_overload_rung[('camera', '{rung}')]"] for rung in RUNGS]
    assert rungs == [0, 1, 2, 3, 4]
    assert seen["lookout_frames_skipped_total[('camera', 'skip')]"] == 7
