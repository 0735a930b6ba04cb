"""A live stream is joined at a keyframe; what comes before it cannot be decoded."""

from __future__ import annotations

import time

import av

from stream.sources.base import SourceStats
from stream.sources.failures import unavailable

_MAX_INTERVAL_S = 20.0  # a longer gap is a jump of the clock, not a keyframe interval


class KeyframeGate:
    """Holds packets back until the first keyframe, and measures the keyframe interval.

    Args:
        label: of the source, safe to show.
        patience_s: seconds of packets without a keyframe until the source is given up.
    """

    def __init__(self, label: str, patience_s: float) -> None:
        self._label = label
        self._patience_s = patience_s
        self._began: float | None = None
        self._open = False
        self._last_key: float | None = None

    def passes(self, packet: av.Packet, stats: SourceStats) -> bool:
        """Whether the packet may go to the decoder.

        Raises:
            SourceUnavailable: `no_keyframe` when patience has run out.
        """
        if packet.is_keyframe:
            self._open = True
            self._measure(packet, stats)
        if self._open:
            return True
        now = time.monotonic()
        self._began = now if self._began is None else self._began
        if now - self._began > self._patience_s:
            raise unavailable(self._label, "no_keyframe")
        return False

    def _measure(self, packet: av.Packet, stats: SourceStats) -> None:
        if packet.dts is None or packet.time_base is None:
            return
        key = float(packet.dts * packet.time_base)
        if self._last_key is not None and 0 < key - self._last_key < _MAX_INTERVAL_S:
            stats.keyframe_interval = max(stats.keyframe_interval or 0.0, key - self._last_key)
        self._last_key = key
