"""Numbers for Prometheus, in a registry of their own; labels are few and bounded."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from prometheus_client import CollectorRegistry, Counter, Gauge, generate_latest
from prometheus_client import Histogram as Observed
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from core.histogram import SECONDS, Counts, Histogram
from stream.archives import ArchiveCollector
from stream.cameras.answer import AnswerResult
from stream.cameras.ladder import RUNGS, Rung
from stream.cameras.view import CameraView

RATES = (1.0, 2.5, 5.0, 10.0, 20.0, 40.0, 80.0, 160.0)


class Metrics:
    """What the server counts.

    Args:
        cameras: looks up all cameras when somebody scrapes.
        engine: looks up the engine's counters, by name.
    """

    def __init__(
        self,
        cameras: Callable[[], Iterable[CameraView]],
        engine: Callable[[], Mapping[str, int]] = dict,
    ) -> None:
        self.registry = CollectorRegistry()
        registry = self.registry
        self._answers = Counter(
            "lookout_answers", "Answers by how they ended.", ["end"], registry=registry
        )
        self._closed = Counter(
            "lookout_conversations_closed", "Websockets by close code.", ["code"], registry=registry
        )
        self.conversations = Gauge(
            "lookout_conversations", "Websockets open now.", registry=registry
        )
        self._ttft = self._histogram(
            "lookout_time_to_first_token_seconds",
            "From asking to the first token (gen_ai.server.time_to_first_token).",
        )
        self._total = self._histogram("lookout_answer_seconds", "From asking to the last token.")
        self._queue = self._histogram("lookout_answer_queue_seconds", "Waited before prefill.")
        self._rate = self._histogram("lookout_answer_tokens_per_second", "Decoding speed.", RATES)
        self._gaps = Histogram()
        self.registry.register(CameraCollector(cameras))
        self.registry.register(ArchiveCollector(cameras))
        self.registry.register(GapCollector(self._gaps))
        self.registry.register(EngineCollector(engine))

    def _histogram(self, name: str, text: str, buckets: tuple[float, ...] = SECONDS) -> Observed:
        return Observed(name, text, buckets=buckets, registry=self.registry)

    def answered(self, end: str, result: AnswerResult | None) -> None:
        """An answer ended; without a result it never began."""
        self._answers.labels(end).inc()
        if result is None:
            return
        self._queue.observe(result.queue_ms / 1000)
        self._total.observe(result.total_ms / 1000)
        if result.ttft_ms is not None:
            self._ttft.observe(result.ttft_ms / 1000)
        if result.tokens_per_s is not None:
            self._rate.observe(result.tokens_per_s)
        if result.gaps is not None:
            self._gaps.add(result.gaps)

    def closed(self, code: int) -> None:
        """A websocket closed; a client may make codes up, so only ours are told apart."""
        ours = (1000, 1001, 1005, 1006, 1008, 1009, 1011, 1013, 4001, 4008)
        self._closed.labels(str(code) if code in ours else "other").inc()

    def text(self) -> bytes:
        """All of it in Prometheus' text format."""
        return generate_latest(self.registry)


@dataclass(frozen=True, slots=True)
class Column:
    """One number of a camera's view; a field ending in _ms is given in seconds."""

    name: str
    field: str
    help: str
    counts: bool = False


COLUMNS = (
    Column("lookout_frames", "frames_in", "Sampled frames that came in.", True),
    Column("lookout_frames_dropped", "frames_dropped", "Sampled frames that gave way.", True),
    Column("lookout_frames_remembered", "frames_remembered", "Frames now or once held.", True),
    Column("lookout_segments", "segments", "Segments remembered.", True),
    Column("lookout_segments_lost", "segments_lost", "Segments that an error took.", True),
    Column("lookout_tokens_encoded", "tokens_encoded", "Visual tokens encoded.", True),
    Column("lookout_tokens_kept", "tokens_kept", "Visual tokens kept by pruning.", True),
    Column("lookout_reconnects", "reconnects", "Times the source was opened again.", True),
    Column("lookout_memory_held_tokens", "memory_held", "Tokens in memory now."),
    Column("lookout_memory_capacity_tokens", "memory_capacity", "Tokens memory may hold."),
    Column("lookout_memory_bytes", "memory_bytes", "Bytes reserved."),
    Column("lookout_lag_seconds", "lag_ms", "Arrival to memory, newest segment."),
    Column("lookout_lag_p95_seconds", "lag_p95_ms", "Arrival to memory, 95th percentile."),
    Column("lookout_frame_age_seconds", "frame_age_ms", "Age of the newest remembered frame."),
    Column("lookout_frames_skipped", "frames_skipped", "Passed over because it lagged.", True),
    Column("lookout_overload_changes", "overload_changes", "Rungs taken, up or down.", True),
    Column("lookout_camera_load_ratio", "load", "Share of the engine's time that it needs."),
    Column("lookout_answering", "answering", "Answers being given now."),
)


class CameraCollector(Collector):
    """Reads the cameras when scraped; one label, the camera's name."""

    def __init__(self, cameras: Callable[[], Iterable[CameraView]]) -> None:
        self._cameras = cameras

    def describe(self) -> Iterable[Metric]:
        """Nothing, so that registering does not scrape."""
        return ()

    def collect(self) -> Iterable[Metric]:
        """One family per column, and whether each camera is live."""
        views = list(self._cameras())
        live = GaugeMetricFamily("lookout_camera_live", "1 while frames come.", labels=["camera"])
        for view in views:
            live.add_metric([view.name], float(view.state == "live"))
        yield live
        rung = GaugeMetricFamily(
            "lookout_overload_rung",
            "What is given up: 0 nothing, 1 fps, 2 budget, 3 picture size, 4 frames that wait.",
            labels=["camera"],
        )
        for view in views:
            rung.add_metric([view.name], RUNGS.index(Rung(view.overload)))
        yield rung
        lags = HistogramMetricFamily(
            "lookout_camera_lag_seconds", "Arrival to memory, per segment.", labels=["camera"]
        )
        for view in views:
            if view.lags is not None:
                lags.add_metric([view.name], _buckets(view.lags), view.lags.total)
        yield lags
        for column in COLUMNS:
            kind = CounterMetricFamily if column.counts else GaugeMetricFamily
            family = kind(column.name, column.help, labels=["camera"])
            for view in views:
                value = getattr(view, column.field)
                if value is not None:
                    scale = 1000 if column.field.endswith("_ms") else 1
                    family.add_metric([view.name], value / scale)
            yield family


class GapCollector(Collector):
    """Seconds from token to token, over all answers that have ended."""

    def __init__(self, gaps: Histogram) -> None:
        self._gaps = gaps

    def describe(self) -> Iterable[Metric]:
        """Nothing, so that registering does not scrape."""
        return ()

    def collect(self) -> Iterable[Metric]:
        """One histogram."""
        counts = self._gaps.counts
        yield HistogramMetricFamily(
            "lookout_inter_token_seconds",
            "From token to token of an answer (gen_ai.server.time_per_output_token).",
            buckets=_buckets(counts),
            sum_value=counts.total,
        )


def _buckets(counts: Counts) -> list[tuple[str, float]]:
    """As Prometheus wants them: (upper bound, how many are at most that)."""
    bounds = [*map(str, counts.bounds), "+Inf"]
    return list(zip(bounds, map(float, counts.cumulative()), strict=True))


class EngineCollector(Collector):
    """Reads the engine's counters when scraped: steps, tokens, busy milliseconds."""

    def __init__(self, engine: Callable[[], Mapping[str, int]]) -> None:
        self._engine = engine

    def describe(self) -> Iterable[Metric]:
        """Nothing, so that registering does not scrape."""
        return ()

    def collect(self) -> Iterable[Metric]:
        """One counter for each."""
        for name, value in self._engine().items():
            family = CounterMetricFamily(f"lookout_engine_{name}", "Since the engine started.")
            family.add_metric([], value)
            yield family
