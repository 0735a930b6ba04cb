"""What is published of a camera: one immutable row of numbers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from core.histogram import Counts
from core.kept import KeptStep
from engine.engine import Engine
from memory.recall.tiers import Holdings
from stream.cameras.relief import Relieved
from stream.cameras.tally import Tally
from stream.cameras.watching import Watching
from stream.sources.feed import FeedStatus


@dataclass(frozen=True, slots=True)
class CameraView:
    """A camera as it stands now. Durations in milliseconds, stream times in seconds."""

    name: str
    url: str  # without credentials
    state: str  # connecting | live | stalled | retrying | offline | disabled
    reason: str | None
    retry_in_ms: float | None
    fps: float  # sampled frames per second asked for
    codec: str | None
    width: int | None
    height: int | None
    reconnects: int
    frames_in: int  # sampled frames that entered the buffer
    frames_dropped: int  # sampled frames that gave way because the buffer was full
    frames_remembered: int  # frames whose temporal step is in memory
    segments: int
    segments_lost: int  # that an error took on their way into memory
    tokens_encoded: int
    tokens_kept: int
    memory_held: int  # tokens
    memory_seen: int  # tokens ever appended
    memory_capacity: int  # tokens
    memory_bytes: int  # bytes reserved for this camera, those of its archive included
    lag_ms: float | None  # newest segment: in memory minus arrived
    lag_p95_ms: float | None
    frame_age_ms: float | None  # now minus arrival of the newest remembered frame
    newest_pts: float | None
    answering: int  # answers being given now
    policy: str
    budget: int
    restored: str = ""  # what became of the memory saved before the start; empty: there was none
    save_problem: str = ""  # why the newest save of its memory failed; empty: it did not
    kept: KeptStep | None = None  # which places of the newest remembered step were kept
    overload: str = "none"  # how far it gave up: none | fps | budget | picture | skip
    given_up: tuple[str, ...] = ()  # what that means here, without what would change nothing
    overload_changes: int = 0  # times that changed, up or down
    frames_skipped: int = 0  # sampled frames that were passed over because it lagged
    archive: Holdings | None = None  # what memory gave up; None without
    load: float | None = None  # share of the engine's time that it needs; None: not known yet
    lags: Counts | None = None  # how often which lag was measured, seconds


def ms(seconds: float | None) -> float | None:
    """Seconds as milliseconds; None stays None."""
    return None if seconds is None else seconds * 1000


def of_engine(engine: Engine, watching: Watching) -> dict[str, Any]:
    """The fields that tell how much memory is set aside for it."""
    limits, pool, recalling = engine.limits, engine.pool, watching.recalling
    slots = pool.pages_for(limits.capacity) * limits.page_size
    archived = 0 if recalling is None else recalling.reserved_bytes
    return {
        "memory_capacity": limits.capacity,
        "memory_bytes": slots * engine.model.shape.bytes_per_token + archived,
    }


def of_feed(status: FeedStatus) -> dict[str, Any]:
    """The fields that tell how its frames come."""
    return {
        "retry_in_ms": ms(status.retry_in_s),
        "codec": status.codec,
        "width": status.width,
        "height": status.height,
        "reconnects": status.reconnects,
        "frames_in": status.frames_in,
        "frames_dropped": status.frames_dropped,
    }


def of_tally(tally: Tally) -> dict[str, Any]:
    """The fields that tell what became of them."""
    return {
        "frames_remembered": tally.frames_remembered,
        "segments": tally.segments,
        "segments_lost": tally.lost,
        "tokens_encoded": tally.tokens_encoded,
        "tokens_kept": tally.tokens_kept,
        "memory_held": tally.held,
        "memory_seen": tally.seen,
        "lag_ms": ms(tally.lag_s),
        "lag_p95_ms": ms(tally.lag_percentile(0.95)),
        "newest_pts": tally.newest_pts,
        "kept": tally.kept,
        "archive": tally.archived,
        "lags": tally.lags.counts,
    }


def of_relief(relieved: Relieved) -> dict[str, Any]:
    """The fields that tell what was given up."""
    return {
        "overload": str(relieved.rung),
        "given_up": tuple(map(str, relieved.given_up)),
        "overload_changes": relieved.changes,
        "frames_skipped": relieved.frames_skipped,
    }
