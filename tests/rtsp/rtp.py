"""A video file as RTP: access units, session description, packets (RFC 3550, 6184, 7798)."""

from __future__ import annotations

import base64
import random
import re
import struct
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import av
from av.bitstream import BitStreamFilterContext

CLOCK_HZ = 90_000
_PAYLOAD_TYPE = 96
_MTU = 1350
_NTP_EPOCH = 2_208_988_800  # seconds from 1900 to 1970


@dataclass(frozen=True)
class AccessUnit:
    """The coded form of one frame."""

    dts: float  # seconds from the beginning
    pts: float
    nals: tuple[bytes, ...]
    key: bool


class Syntax:
    """What H.264 and H.265 do differently."""

    name = "H264"
    bitstream_filter = "h264_mp4toannexb"

    def nal_type(self, nal: bytes) -> int:
        """The type in a NAL unit's header."""
        return nal[0] & 31

    def is_parameter_set(self, nal: bytes) -> bool:
        """Whether a decoder needs this unit before any picture."""
        return self.nal_type(nal) in (7, 8)

    def format_line(self, sets: list[bytes]) -> str:
        """The parameters of `a=fmtp`."""
        coded = ",".join(base64.b64encode(one).decode() for one in sets)
        level = next(one for one in sets if self.nal_type(one) == 7)[1:4].hex()
        return f"packetization-mode=1;profile-level-id={level};sprop-parameter-sets={coded}"

    def fragments(self, nal: bytes) -> list[bytes]:
        """RTP payloads for one NAL unit."""
        if len(nal) <= _MTU:
            return [nal]
        indicator = bytes([nal[0] & 0xE0 | 28])
        return _cut(nal[1:], indicator, self.nal_type(nal))


class Syntax265(Syntax):
    """H.265."""

    name = "H265"
    bitstream_filter = "hevc_mp4toannexb"

    def nal_type(self, nal: bytes) -> int:
        """The type in a NAL unit's header."""
        return nal[0] >> 1 & 63

    def is_parameter_set(self, nal: bytes) -> bool:
        """Whether a decoder needs this unit before any picture."""
        return self.nal_type(nal) in (32, 33, 34)

    def format_line(self, sets: list[bytes]) -> str:
        """The parameters of `a=fmtp`."""
        names = {32: "sprop-vps", 33: "sprop-sps", 34: "sprop-pps"}
        return ";".join(
            f"{names[self.nal_type(one)]}={base64.b64encode(one).decode()}" for one in sets
        )

    def fragments(self, nal: bytes) -> list[bytes]:
        """RTP payloads for one NAL unit."""
        if len(nal) <= _MTU:
            return [nal]
        header = bytes([nal[0] & 0x81 | 49 << 1, nal[1]])
        return _cut(nal[2:], header, self.nal_type(nal))


_SYNTAX = {"h264": Syntax(), "hevc": Syntax265()}


class Clip:
    """A file in memory, ready to be sent.

    Args:
        path: a file with one H.264 or H.265 stream.
        encoding: the codec name to announce instead of the true one, to test what is not known.
    """

    def __init__(self, path: Path | str, encoding: str | None = None) -> None:
        with av.open(str(path)) as container:
            stream = container.streams.video[0]
            self.syntax = _SYNTAX[stream.codec_context.name]
            self.units = list(self._read(container, stream))
        self.encoding = encoding or self.syntax.name
        period = self.units[1].dts - self.units[0].dts
        self.duration = self.units[-1].dts + period
        nals = [nal for unit in self.units for nal in unit.nals]
        unique = dict.fromkeys(nal for nal in nals if self.syntax.is_parameter_set(nal))
        self.parameter_sets = list(unique)

    def description(self) -> str:
        """The session description (SDP)."""
        lines = [
            "v=0",
            "o=- 0 0 IN IP4 127.0.0.1",
            "s=counter",
            "c=IN IP4 0.0.0.0",
            "t=0 0",
            "a=control:*",
            f"m=video 0 RTP/AVP {_PAYLOAD_TYPE}",
            f"a=rtpmap:{_PAYLOAD_TYPE} {self.encoding}/{CLOCK_HZ}",
            f"a=fmtp:{_PAYLOAD_TYPE} {self.syntax.format_line(self.parameter_sets)}",
            "a=control:track",
        ]
        return "\r\n".join(lines) + "\r\n"

    def payloads(self, unit: AccessUnit) -> list[bytes]:
        """RTP payloads of one frame."""
        return [part for nal in unit.nals for part in self.syntax.fragments(nal)]

    def _read(self, container, stream):
        to_annexb = BitStreamFilterContext(self._filter(stream), stream)
        start = None
        for packet in container.demux(stream):
            if packet.dts is None:
                continue
            for unit in to_annexb.filter(packet):
                dts, pts = (float(at * stream.time_base) for at in (unit.dts, unit.pts))
                start = dts if start is None else start
                # The filter empties the packet it was given, so the flag is read from its output.
                yield AccessUnit(
                    dts - start, pts - start, _split(bytes(unit)), bool(unit.is_keyframe)
                )

    def _filter(self, stream) -> str:
        return _SYNTAX[stream.codec_context.name].bitstream_filter


class RtpSender:
    """One viewer's packets: sequence numbers, time stamps, sender reports.

    Args:
        send_rtp: takes one RTP packet.
        send_rtcp: takes one RTCP packet.
    """

    def __init__(
        self, send_rtp: Callable[[bytes], None], send_rtcp: Callable[[bytes], None]
    ) -> None:
        self.sequence = random.randrange(1 << 16)
        self._send_rtp = send_rtp
        self._send_rtcp = send_rtcp
        self._ssrc = random.getrandbits(32)
        self._offset = random.getrandbits(32)
        self._started = False
        self._packets = self._octets = 0
        self._reported = float("-inf")

    def send(self, elapsed: float, payloads: list[bytes], *, joins: bool) -> None:
        """Sends one frame, if the viewer has joined.

        Args:
            elapsed: media time in seconds.
            payloads: of the frame.
            joins: whether a viewer may join at this frame.
        """
        self._started = self._started or joins
        if not self._started:
            return
        stamp = int(elapsed * CLOCK_HZ) + self._offset & 0xFFFFFFFF
        self._report(stamp)
        for index, payload in enumerate(payloads):
            marker = 0x80 if index == len(payloads) - 1 else 0
            header = struct.pack(
                ">BBHII", 0x80, _PAYLOAD_TYPE | marker, self.sequence, stamp, self._ssrc
            )
            self._send_rtp(header + payload)
            self.sequence = self.sequence + 1 & 0xFFFF
            self._packets += 1
            self._octets += len(payload)

    def send_garbage(self, count: int, rng: random.Random) -> None:
        """Sends well-numbered packets full of noise."""
        for _ in range(count):
            header = struct.pack(
                ">BBHII", 0x80, _PAYLOAD_TYPE, self.sequence, rng.getrandbits(32), self._ssrc
            )
            self._send_rtp(header + rng.randbytes(rng.randrange(1, _MTU)))
            self.sequence = self.sequence + 1 & 0xFFFF

    def _report(self, stamp: int) -> None:
        if time.monotonic() - self._reported < 2:
            return
        self._reported = time.monotonic()
        ntp = time.time() + _NTP_EPOCH
        self._send_rtcp(
            struct.pack(
                ">BBHIIIIII",
                0x80,
                200,
                6,
                self._ssrc,
                int(ntp),
                int(ntp % 1 * 2**32),
                stamp,
                self._packets & 0xFFFFFFFF,
                self._octets & 0xFFFFFFFF,
            )
        )


def _cut(body: bytes, header: bytes, kind: int) -> list[bytes]:
    """A large NAL unit in fragments, the first and the last marked."""
    parts = []
    for start in range(0, len(body), _MTU):
        first = 0x80 if start == 0 else 0
        last = 0x40 if start + _MTU >= len(body) else 0
        parts.append(header + bytes([first | last | kind]) + body[start : start + _MTU])
    return parts


def _split(annexb: bytes) -> tuple[bytes, ...]:
    """NAL units between start codes."""
    parts = re.split(rb"\x00\x00\x01", annexb)
    return tuple(nal for nal in (part.rstrip(b"\x00") for part in parts[1:]) if nal)
