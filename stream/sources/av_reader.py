"""Reads anything FFmpeg reads, blocking: network cameras, web streams, files."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TypeVar

import av
import av.error
import numpy as np
from av.stream import Disposition
from numpy.typing import NDArray

from core.errors import SourceUnavailable
from core.frames import Frame
from stream.sources.base import SourceInfo, SourceStats
from stream.sources.clock import FrameClock
from stream.sources.failures import translate, unavailable
from stream.sources.hardware import Hardware, quarter_turns
from stream.sources.keyframes import KeyframeGate
from stream.sources.pace import Pacer
from stream.sources.sampler import Sampler
from stream.sources.thread import Reader

T = TypeVar("T")
_OVERDUE = 0.9  # of a time limit: the library measures on a clock of its own
_MAX_DAMAGED_IN_A_ROW = 300  # packets; ten seconds of garbage are a broken stream


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Patience with a network source, in seconds.

    Args:
        open_s: from the first packet sent until the streams are known.
        read_s: silence between two packets; above the keyframe interval of any sane camera.
        keyframe_s: packets without a single keyframe after opening.
    """

    open_s: float = 15.0
    read_s: float = 15.0
    keyframe_s: float = 30.0


@dataclass(frozen=True, slots=True)
class Medium:
    """What to open and how.

    Args:
        address: for the media library, credentials and all; never shown.
        label: the same, safe to show.
        live: whether its end is a loss.
        loop: begin again at the end; pts go on rising.
        host: the machine behind it; None for a file.
        tls: whether the connection is encrypted.
        options: the media library's options for this kind of address.
    """

    address: str = field(repr=False)
    label: str
    live: bool
    loop: bool = False
    host: str | None = None
    tls: bool = False
    options: dict[str, str] = field(default_factory=dict)


class AvReader(Reader):
    """Demuxes and decodes the largest video stream; converts only sampled frames to RGB.

    Args:
        medium: what to open.
        timeouts: patience.
        make_pacer: how a recording is held back; each pass over a looping file goes on with it.
        hardware: where pictures are decoded.
    """

    def __init__(
        self,
        medium: Medium,
        timeouts: Timeouts,
        make_pacer: Callable[[], Pacer],
        hardware: Hardware,
    ) -> None:
        self._medium = medium
        self._timeouts = timeouts
        self._pacer = make_pacer()
        self._hardware = hardware
        self._handed = 0  # packets that the decoder got
        self._container: av.container.InputContainer | None = None

    def open(self) -> SourceInfo:
        """Connects and finds the video stream. Raises SourceUnavailable."""
        limits, accel = self._timeouts, self._hardware.begin()
        self._container = self._guard(
            lambda: av.open(
                self._medium.address,
                options=dict(self._medium.options),
                timeout=(limits.open_s, limits.read_s),
                metadata_errors="replace",
                hwaccel=accel,
            ),
            limits.open_s,
        )
        stream = self._stream()
        stream.thread_type = "SLICE"  # frame threads delay every frame by one frame per thread
        rate = stream.average_rate or stream.guessed_rate
        codec = stream.codec_context
        decoder = "cuda" if codec.is_hwaccel else "cpu"
        fps = float(rate) if rate else None
        return SourceInfo(codec.name, codec.width, codec.height, fps, decoder)

    def frames(
        self, sampler: Sampler, stats: SourceStats, stop: threading.Event
    ) -> Iterator[Frame]:
        """Sampled frames until the end or `stop`. Raises SourceUnavailable."""
        try:
            yield from self._sampled(sampler, stats, stop)
        except SourceUnavailable as lost:
            if lost.reason == "codec":
                self._hardware.failed()
            raise

    def _sampled(
        self, sampler: Sampler, stats: SourceStats, stop: threading.Event
    ) -> Iterator[Frame]:
        clock = FrameClock(wall=self._opened.format.name == "mpjpeg")
        while True:
            stream, before, handed, last = self._stream(), stats.decoded, self._handed, 0.0
            rate = float(stream.average_rate or stream.guessed_rate or 25)
            for picture in self._pictures(stream, stats, stop):
                pts = clock.time_of(picture.time, rate)
                last = picture.time or last
                if sampler.wants(pts):
                    self._pacer.wait(pts, stop)
                    if stop.is_set():
                        return
                    yield self._frame(pts, picture)
            if stop.is_set():
                return
            if stats.decoded == before:
                # A camera that went before its first keyframe says nothing of who decodes.
                gone = self._medium.live and self._handed == handed
                raise unavailable(self._medium.label, "ended" if gone else "codec")
            if not self._medium.loop:
                self._check_complete(stream, last)
                return
            clock.new_pass()
            self.close()
            self.open()

    def close(self) -> None:
        """Closes the connection or file."""
        if self._container is not None:
            self._container.close()
            self._container = None

    @property
    def _opened(self) -> av.container.InputContainer:
        if self._container is None:
            raise RuntimeError("the reader is not open")
        return self._container

    def _stream(self) -> av.VideoStream:
        usable = [
            stream
            for stream in self._opened.streams.video
            if stream.codec_context is not None
            and not stream.disposition & Disposition.attached_pic  # the cover of a song
        ]
        if not usable:
            raise unavailable(self._medium.label, "codec", "it has no video that can be decoded")
        return max(usable, key=lambda s: s.codec_context.width * s.codec_context.height)

    def _pictures(
        self, stream: av.VideoStream, stats: SourceStats, stop: threading.Event
    ) -> Iterator[av.VideoFrame]:
        """Every decoded frame; damaged packets are counted and passed over."""
        gate = KeyframeGate(self._medium.label, self._timeouts.keyframe_s)
        damaged = 0
        packets = self._opened.demux(stream)
        while not stop.is_set():
            packet = self._guard(lambda: next(packets, None), self._timeouts.read_s)
            if packet is None:
                return
            if self._medium.live and not gate.passes(packet, stats):
                continue
            self._handed += 1
            try:
                pictures = packet.decode()
            except av.error.FFmpegError:
                damaged += 1
                stats.damaged += 1
                if damaged > _MAX_DAMAGED_IN_A_ROW:
                    raise unavailable(self._medium.label, "codec") from None
                continue
            for picture in pictures:
                damaged = 0
                stats.decoded += 1
                yield picture

    def _frame(self, pts: float, picture: av.VideoFrame) -> Frame:
        """What is sampled, on the host and where it was decoded. Raises SourceUnavailable."""
        try:
            pixels, surface = _rgb(picture), self._hardware.surface(picture)
        except Exception as error:  # whatever a card's memory raises: the next opening does without
            raise unavailable(
                self._medium.label,
                "codec",
                f"a decoded picture could not be fetched ({type(error).__name__})",
            ) from None
        return Frame(pts, time.monotonic(), pixels, self._hardware.few.admit(surface))

    def _check_complete(self, stream: av.VideoStream, last: float) -> None:
        """Raises where a file ends well before the length that its own header gives."""
        if self._medium.live or stream.duration is None or stream.time_base is None:
            return
        length = float(stream.duration * stream.time_base)
        start = float((stream.start_time or 0) * stream.time_base)
        if last < start + length - max(1.0, 0.05 * length):
            raise unavailable(
                self._medium.label,
                "ended",
                f"the file is cut off: it ends after {last - start:.1f} of {length:.1f} s",
            )

    def _guard(self, call: Callable[[], T], timeout_s: float) -> T:
        """Calls the library and turns what it raises into SourceUnavailable."""
        began = time.monotonic()
        try:
            return call()
        except (av.error.FFmpegError, OSError, ValueError) as error:
            raise translate(
                error,
                self._medium.label,
                overdue=time.monotonic() - began >= _OVERDUE * timeout_s,
                host=self._medium.host,
                tls=self._medium.tls,
            ) from None


def _rgb(picture: av.VideoFrame) -> NDArray[np.uint8]:  # [h, w, 3]
    """The picture upright, on the host."""
    pixels = picture.to_ndarray(format="rgb24")
    turns = quarter_turns(picture)
    if turns:
        pixels = np.ascontiguousarray(np.rot90(pixels, turns))
    return np.asarray(pixels, np.uint8)
