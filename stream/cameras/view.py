"""What is published of a camera: one immutable row of numbers."""

from __future__ import annotations

from dataclasses import dataclass

from core.kept import KeptStep


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
    memory_bytes: int  # bytes reserved for this camera
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


def ms(seconds: float | None) -> float | None:
    """Seconds as milliseconds; None stays None."""
    return None if seconds is None else seconds * 1000
