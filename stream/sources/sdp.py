"""What we read in, and write into, a session description."""

from __future__ import annotations

import re

# aiortc's bandwidth estimate climbs so slowly that a browser shrinks its picture within two
# seconds and never grows it again. Chromium heeds these limits, which it reads from the answer.
_BITRATES = "x-google-start-bitrate=2500;x-google-min-bitrate=1500;x-google-max-bitrate=5000"
_CODECS = re.compile(r"^a=rtpmap:(\d+) (?:VP8|H264)/90000\r?$", re.IGNORECASE | re.MULTILINE)


def sections(sdp: str) -> int:
    """How many media sections there are; each may cost sockets of its own."""
    return len(re.findall(r"^m=", sdp, re.MULTILINE))


def has_video(sdp: str) -> bool:
    """Whether there is a video section."""
    return re.search(r"^m=video ", sdp, re.MULTILINE) is not None


def has_candidates(sdp: str) -> bool:
    """Whether there is at least one address to reach."""
    return re.search(r"^a=candidate:", sdp, re.MULTILINE) is not None


def with_bitrates(sdp: str) -> str:
    """The description with bitrate limits (kbit/s) on every VP8 and H.264 payload type."""
    for payload in _CODECS.findall(sdp):
        parameters = re.compile(rf"^(a=fmtp:{payload} [^\r\n]*)", re.MULTILINE)
        if parameters.search(sdp):
            sdp = parameters.sub(rf"\1;{_BITRATES}", sdp)
        else:
            rtpmap = re.compile(rf"^(a=rtpmap:{payload} [^\r\n]*\r?\n)", re.MULTILINE)
            sdp = rtpmap.sub(rf"\1a=fmtp:{payload} {_BITRATES}\r\n", sdp)
    return sdp
