"""Browsers and other WebRTC senders as cameras: one offer answered, one video track received.

Limits of aiortc that no public interface lets us lift: it queues decoded frames without bound
(so the track is drained from the moment it arrives, whether or not anybody reads); it cannot be
told to ask for a keyframe (it asks by itself when its jitter buffer gives up on a frame, so that
heavy loss freezes the picture for up to 512 packets: the feed then says `stalled`); it binds random
UDP ports, and never offers 127.0.0.1 (a browser on this machine reaches it over the machine's own
address). It takes VP8 and H.264.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable

import av
import numpy as np
from aiortc import RTCConfiguration, RTCPeerConnection, RTCSessionDescription
from aiortc.mediastreams import MediaStreamError, MediaStreamTrack

from core.errors import FrameError, ProtocolViolation, SourceUnavailable
from core.frames import Frame
from stream.sources.base import Source, SourceInfo
from stream.sources.buffer import FrameBuffer
from stream.sources.clock import FrameClock
from stream.sources.push import MAX_PIXELS
from stream.sources.sampler import Sampler
from stream.sources.sdp import has_candidates, has_video, sections, with_bitrates

log = logging.getLogger("lookout.source")
_RATE = 30.0  # WebRTC announces none; only used where a frame has no time
_MAX_SECTIONS = 4  # one video is taken; a browser may offer sound and data beside it


class WebRtcSource(Source):
    """One received video track. Frames that nobody samples cost a queue hop and nothing else.

    Its end is final: a sender that comes back brings a new track, and so a new source. Closing it
    hangs up, because a track that is received and not drained would fill memory.

    Args:
        label: safe to show.
        hang_up: ends the connection that brings the track.
        buffer_frames: sampled frames held for the feed; the oldest gives way.
        open_timeout_s: patience for the first frame.
    """

    reopens = False

    def __init__(
        self,
        label: str,
        hang_up: Callable[[], Awaitable[None]],
        *,
        buffer_frames: int = 4,
        open_timeout_s: float = 15.0,
    ) -> None:
        super().__init__(label, live=True)
        self._hang_up = hang_up
        self._buffer = FrameBuffer(buffer_frames)
        self._open_timeout_s = open_timeout_s
        self._sampler: Sampler | None = None
        self._drain: asyncio.Task[None] | None = None
        self._info: SourceInfo | None = None
        self._arrived = asyncio.Event()

    def attach(self, track: MediaStreamTrack) -> None:
        """Starts draining the track; called once, on the event loop."""
        if self._drain is not None:
            raise RuntimeError(f"{self.label} has a track already")
        self._drain = asyncio.create_task(self._read(track), name=f"drain {self.label}")

    async def open(self, sampler: Sampler) -> SourceInfo:
        """Waits for the first frame; frames before it are gone."""
        self._sampler = sampler
        try:
            async with asyncio.timeout(self._open_timeout_s):
                await self._arrived.wait()
        except TimeoutError:
            raise SourceUnavailable(f"{self.label}: no video has arrived", "timeout") from None
        if self._info is None or self._buffer.closed:
            raise SourceUnavailable(f"{self.label}: the sender has gone", "ended")
        return self._info

    async def recv(self) -> Frame:
        """The next sampled frame; its size may differ from the one before."""
        return (await self._buffer.get_many(1))[0]

    async def close(self) -> None:
        """Hangs up and stops draining."""
        self._end()
        await self._hang_up()
        if self._drain is not None:
            self._drain.cancel()
            await asyncio.gather(self._drain, return_exceptions=True)

    async def _read(self, track: MediaStreamTrack) -> None:
        clock = FrameClock()
        try:
            while True:
                self._accept(await track.recv(), clock)
        except MediaStreamError:
            pass
        except FrameError as error:
            log.warning("%s: %s", self.label, error)  # the feed closes us, which hangs up
        finally:
            self._end()

    def _accept(self, picture: av.VideoFrame, clock: FrameClock) -> None:
        self.stats.decoded += 1
        if picture.width * picture.height > MAX_PIXELS:  # a sender's few bytes may claim gigabytes
            raise FrameError(f"it sends {picture.width}x{picture.height} pixels, at most 4K")
        if self._info is None:
            self._info = SourceInfo("webrtc", picture.width, picture.height, None)
            self._arrived.set()
        pts = clock.time_of(picture.time, _RATE)
        if self._sampler is None or not self._sampler.wants(pts):
            return
        pixels = np.asarray(picture.to_ndarray(format="rgb24"), np.uint8)
        self._buffer.put(Frame(pts, time.monotonic(), pixels))
        self.stats.dropped = self._buffer.dropped

    def _end(self) -> None:
        self._buffer.close(SourceUnavailable(f"{self.label}: the sender has gone", "ended"))
        self._arrived.set()


class WebRtcReceiver:
    """The receiving end of one WHIP connection.

    Attributes:
        source: the frames, from `accept` on; ends when the sender goes, and closing it is
            closing the receiver.

    Args:
        label: safe to show.
        gather_timeout_s: patience with ICE gathering and with setting up.
        first_frame_timeout_s: patience of the source's `open` for the first frame.
        close_timeout_s: patience for taking the connection down.
    """

    def __init__(
        self,
        label: str = "webrtc",
        *,
        gather_timeout_s: float = 10.0,
        first_frame_timeout_s: float = 15.0,
        close_timeout_s: float = 5.0,
    ) -> None:
        self.source = WebRtcSource(label, self._hang_up, open_timeout_s=first_frame_timeout_s)
        self._label = label
        self._gather_timeout_s = gather_timeout_s
        self._close_timeout_s = close_timeout_s
        # No STUN server: nobody is called on the user's behalf; host candidates serve a LAN.
        self._peer = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        self._attached = False
        self._peer.on("track", self._on_track)
        self._peer.on("connectionstatechange", self._on_state)

    @property
    def state(self) -> str:
        """new, connecting, connected, failed or closed."""
        return str(self._peer.connectionState)

    async def accept(self, offer_sdp: str) -> str:
        """Answers an offer with a complete answer: every candidate gathered, bitrates set.

        Raises:
            ProtocolViolation: the offer is no SDP, or offers no video that can be taken.
            SourceUnavailable: this machine has no address to offer, or gathering took too long.
        """
        if not has_video(offer_sdp):
            raise ProtocolViolation("the offer has no video section (m=video)")
        if sections(offer_sdp) > _MAX_SECTIONS:
            raise ProtocolViolation(f"the offer has over {_MAX_SECTIONS} media sections; send one")
        try:
            async with asyncio.timeout(self._gather_timeout_s):
                await self._peer.setRemoteDescription(RTCSessionDescription(offer_sdp, "offer"))
                answer = await self._peer.createAnswer()
                await self._peer.setLocalDescription(answer)  # gathers all candidates
        except TimeoutError:
            await self.close()
            raise SourceUnavailable(
                f"{self._label}: ICE gathering took too long", "timeout"
            ) from None
        except Exception as error:  # aiortc raises whatever its parser stumbles over
            await self.close()
            raise ProtocolViolation(f"the offer cannot be used ({type(error).__name__})") from None
        sdp = str(self._peer.localDescription.sdp)
        if not has_candidates(sdp):
            await self.close()
            raise SourceUnavailable(
                f"{self._label}: this machine has no network address besides loopback, which "
                "WebRTC cannot use here; send JPEG over the websocket instead",
                "refused",
            )
        return with_bitrates(sdp)

    async def close(self) -> None:
        """Takes the connection down and ends the source; idempotent, bounded in time."""
        await self.source.close()

    async def _hang_up(self) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._close_timeout_s):
                await self._peer.close()

    def _on_track(self, track: MediaStreamTrack) -> None:
        if track.kind == "video" and not self._attached:
            self._attached = True
            self.source.attach(track)

    async def _on_state(self) -> None:
        if self._peer.connectionState == "failed":
            await self.close()
