"""What cameras' archives hold, for Prometheus; labels are the camera's name and the tier."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from stream.cameras.view import CameraView


class ArchiveCollector(Collector):
    """Reads the cameras when scraped.

    Args:
        cameras: looks up all of them.
    """

    def __init__(self, cameras: Callable[[], Iterable[CameraView]]) -> None:
        self._cameras = cameras

    def describe(self) -> Iterable[Metric]:
        """Nothing, so that registering does not scrape."""
        return ()

    def collect(self) -> Iterable[Metric]:
        """Runs, bytes and what questions read of each tier; steps that are gone."""
        tier, camera = ["camera", "tier"], ["camera"]
        runs = GaugeMetricFamily("lookout_archive_runs", "Runs of steps now.", labels=tier)
        held = GaugeMetricFamily("lookout_archive_bytes", "Bytes taken now.", labels=tier)
        room = GaugeMetricFamily("lookout_archive_capacity_bytes", "Bytes at most.", labels=tier)
        read = CounterMetricFamily(
            "lookout_archive_read_steps", "Steps that questions read.", labels=tier
        )
        gone = CounterMetricFamily(
            "lookout_archive_forgotten_steps", "Steps given up for good.", labels=camera
        )
        lost = CounterMetricFamily(
            "lookout_archive_lost_steps", "Of these, for damaged files.", labels=camera
        )
        for view in self._cameras():
            if view.archive is None:
                continue
            for level in view.archive.levels:
                labels = [view.name, level.tier.value]
                runs.add_metric(labels, level.runs)
                held.add_metric(labels, level.bytes)
                room.add_metric(labels, level.capacity)
                read.add_metric(labels, level.read)
            gone.add_metric([view.name], view.archive.forgotten)
            lost.add_metric([view.name], view.archive.lost)
        yield from (runs, held, room, read, gone, lost)
