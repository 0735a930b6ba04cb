"""Two real WebRTC peers in one process: one sends a generated track, ours receives it."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from fractions import Fraction
from itertools import pairwise

import av
import pytest
from aiortc import RTCConfiguration, RTCPeerConnection, RTCSessionDescription, VideoStreamTrack
from aiortc.mediastreams import MediaStreamTrack

from core.errors import ProtocolViolation, SourceUnavailable
from stream.sources.backoff import Backoff
from stream.sources.feed import CameraState, Feed
from stream.sources.sampler import Sampler
from stream.sources.sdp import with_bitrates
from stream.sources.webrtc import WebRtcReceiver, WebRtcSource
from tests.rtsp.media import counter_frame, read_counter
from tests.waiting import eventually


class CounterTrack(VideoStreamTrack):
    """Frames that count; `size` may be changed at any time."""

    def __init__(self) -> None:
        super().__init__()
        self.size = (320, 192)
        self.sent = 0

    async def recv(self) -> av.VideoFrame:
        pts, time_base = await self.next_timestamp()
        frame = av.VideoFrame.from_ndarray(counter_frame(self.sent, self.size), "rgb24")
        frame.pts, frame.time_base = pts, Fraction(time_base)
        self.sent += 1
        return frame


class Sender:
    """A WHIP client: offers a track, takes the answer."""

    def __init__(self) -> None:
        self.track = CounterTrack()
        self._peer = RTCPeerConnection(RTCConfiguration(iceServers=[]))

    async def offer(self) -> str:
        self._peer.addTrack(self.track)
        await self._peer.setLocalDescription(await self._peer.createOffer())
        return self._peer.localDescription.sdp

    async def take(self, answer: str) -> None:
        await self._peer.setRemoteDescription(RTCSessionDescription(answer, "answer"))

    async def close(self) -> None:
        await self._peer.close()


@asynccontextmanager
async def connected() -> AsyncIterator[tuple[Sender, WebRtcReceiver]]:
    sender, receiver = Sender(), WebRtcReceiver("whip:phone")
    try:
        await sender.take(await receiver.accept(await sender.offer()))
        yield sender, receiver
    finally:
        await sender.close()
        await receiver.close()


async def test_what_is_sent_arrives_in_order_and_sampled() -> None:
    async with connected() as (_, receiver), asyncio.timeout(30):
        info = await receiver.source.open(Sampler(5))
        frames = [await receiver.source.recv() for _ in range(8)]
        assert receiver.state == "connected"
        assert (info.width, info.height) == (320, 192)
        shown = [read_counter(frame.pixels) for frame in frames]
        assert all(before < after for before, after in pairwise(shown))
        for before, after in pairwise(frames):
            assert 0.1 < after.pts - before.pts < 2
            assert before.arrived <= after.arrived
        assert receiver.source.stats.decoded > 20


async def test_the_track_is_drained_though_nobody_reads() -> None:
    async with connected() as (sender, receiver):
        source = receiver.source
        await eventually(lambda: source.stats.decoded > 30)
        await source.open(Sampler(30))
        await eventually(lambda: source.stats.dropped > 10)
        async with asyncio.timeout(10):
            frame = await source.recv()
        assert sender.track.sent - (read_counter(frame.pixels) or 0) < 60


async def test_the_size_of_the_picture_may_change() -> None:
    async with connected() as (sender, receiver), asyncio.timeout(30):
        await receiver.source.open(Sampler(10))
        assert (await receiver.source.recv()).pixels.shape == (192, 320, 3)
        sender.track.size = (160, 96)
        while (await receiver.source.recv()).pixels.shape != (96, 160, 3):
            pass


async def test_a_sender_that_goes_is_a_loss_and_a_new_one_makes_it_live_again() -> None:
    receivers: list[WebRtcReceiver] = []
    async with connected() as (first, receiver):
        receivers.append(receiver)
        feed = Feed(
            lambda: receivers[-1].source, fps=5, stall_after_s=2, backoff=Backoff((0.05,), jitter=0)
        )
        running = asyncio.create_task(feed.run())
        try:
            await eventually(lambda: feed.status.state is CameraState.LIVE, within_s=30)
            await first.close()
            await receiver.close()
            await eventually(lambda: feed.status.state is CameraState.RETRYING, within_s=30)
            assert feed.status.reason == "ended"
            async with connected() as (_, second):
                receivers.append(second)
                feed.retry_now()
                await eventually(lambda: feed.status.state is CameraState.LIVE, within_s=30)
                assert feed.status.reconnects == 1
                running.cancel()
                await asyncio.gather(running, return_exceptions=True)
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)


async def test_the_answer_is_complete_and_sets_the_bitrates() -> None:
    sender, receiver = Sender(), WebRtcReceiver()
    answer = await receiver.accept(await sender.offer())
    assert "a=candidate:" in answer
    assert "a=recvonly" in answer
    for payload in re.findall(r"a=rtpmap:(\d+) (?:VP8|H264)/90000", answer):
        assert re.search(rf"a=fmtp:{payload} .*x-google-min-bitrate=\d+", answer)
    await sender.close()
    await receiver.close()


async def test_closing_may_be_repeated_and_ends_the_source() -> None:
    async with connected() as (_, receiver):
        await receiver.close()
        await receiver.close()
        with pytest.raises(SourceUnavailable) as caught:
            await receiver.source.open(Sampler(5))
        assert caught.value.reason == "ended"


async def test_without_a_sender_opening_gives_up_in_time() -> None:
    receiver = WebRtcReceiver(first_frame_timeout_s=0.05)
    with pytest.raises(SourceUnavailable) as caught:
        await receiver.source.open(Sampler(5))
    assert caught.value.reason == "timeout"
    await receiver.close()


@pytest.mark.parametrize(
    "offer",
    [
        "",
        "this is no SDP",
        "v=0\r\nm=video nonsense\r\n",
        "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\nm=video 9 UDP/TLS/RTP/SAVPF 96\r\n",
        "\x00\xff" * 100,
    ],
)
async def test_an_offer_that_is_none_is_refused(offer: str) -> None:
    receiver = WebRtcReceiver()
    with pytest.raises(ProtocolViolation):
        await receiver.accept(offer)
    await receiver.close()


async def test_an_offer_of_sound_alone_is_refused() -> None:
    peer = RTCPeerConnection(RTCConfiguration(iceServers=[]))
    peer.addTransceiver("audio")
    await peer.setLocalDescription(await peer.createOffer())
    receiver = WebRtcReceiver()
    with pytest.raises(ProtocolViolation, match="video"):
        await receiver.accept(peer.localDescription.sdp)
    await receiver.close()
    await peer.close()


def test_bitrates_are_added_to_existing_parameters_and_made_where_there_are_none() -> None:
    sdp = (
        "m=video 9 UDP/TLS/RTP/SAVPF 97 98 102\r\na=rtpmap:97 VP8/90000\r\n"
        "a=rtpmap:98 rtx/90000\r\na=fmtp:98 apt=97\r\n"
        "a=rtpmap:102 H264/90000\r\na=fmtp:102 packetization-mode=1\r\n"
    )
    lines = with_bitrates(sdp).split("\r\n")
    assert lines[2].startswith("a=fmtp:97 x-google-start-bitrate=")
    assert "a=fmtp:98 apt=97" in lines
    assert any(line.startswith("a=fmtp:102 packetization-mode=1;x-google-") for line in lines)


class Huge(MediaStreamTrack):
    """Pictures beyond 4K, which take next to nothing to send."""

    kind = "video"

    async def recv(self) -> av.VideoFrame:
        return av.VideoFrame(4096, 2304, "yuv420p")


async def test_a_sender_of_huge_pictures_is_cut_off() -> None:
    async def hang_up() -> None:
        pass

    source = WebRtcSource("webrtc", hang_up)
    source.attach(Huge())
    with pytest.raises(SourceUnavailable, match="has gone"):
        await source.open(Sampler(4.0))
    assert source.stats.decoded == 1
    await source.close()


async def test_an_offer_of_very_many_tracks_is_refused_before_any_socket_is_opened() -> None:
    with pytest.raises(ProtocolViolation, match="media sections"):
        await WebRtcReceiver().accept("v=0\r\n" + "m=video 9 UDP/TLS/RTP/SAVPF 96\r\n" * 500)
