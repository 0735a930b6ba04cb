"""From an address to a source: the one place that knows which schemes there are."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from urllib.parse import unquote, urlsplit

from core.errors import ConfigError
from stream.sources.address import redact, take_query, with_escaped_credentials
from stream.sources.av_reader import AvReader, Medium, Timeouts
from stream.sources.base import Source
from stream.sources.demo import DemoSource
from stream.sources.hardware import Hardware, Processor
from stream.sources.pace import Pace, Realtime, RealtimePace, Unpaced
from stream.sources.thread import ThreadSource
from stream.sources.usb import UsbReader

ALLOWED = (
    "rtsp://, rtsps://, rtmp://, http://, https://, file:PATH or a path (?loop=1), usb:0, "
    "demo:NAME (?seed=N)"
)
_RECORDING = re.compile(r"\.(mp4|m4v|mov|mkv|webm|avi|ts|mpg|mpeg)$", re.IGNORECASE)
_REALTIME = RealtimePace()


@dataclass(frozen=True, slots=True)
class Play:
    """How sources are read.

    Args:
        pace: how files and rendered scenes are played; cameras set their own pace.
        timeouts: patience with network sources.
        hardware: where one source's pictures are decoded.
    """

    pace: Pace = _REALTIME
    timeouts: Timeouts = field(default_factory=Timeouts)
    hardware: Hardware = field(default_factory=Processor)


@dataclass(frozen=True, slots=True)
class Sources:
    """Makes sources that are all read in one way.

    Args:
        pace: as in `open_source`.
        timeouts: as in `open_source`.
        hardware: where pictures are decoded; made once for each camera.
    """

    pace: Pace = _REALTIME
    timeouts: Timeouts = field(default_factory=Timeouts)
    hardware: Callable[[], Hardware] = Processor

    def of(self, url: str) -> Callable[[], Source]:
        """What makes a fresh source of an address for every connection; contacts nothing.

        Raises:
            ConfigError: as `open_source`.
        """
        make = partial(
            open_source,
            url,
            pace=self.pace,
            timeouts=self.timeouts,
            hardware=self.hardware(),
        )
        make()  # a wrong address fails here, and not when it is opened
        return make


def open_source(
    url: str,
    *,
    pace: Pace = _REALTIME,
    timeouts: Timeouts | None = None,
    hardware: Hardware | None = None,
) -> Source:
    """The source for an address; nothing is contacted before its `open`.

    Encrypted connections (rtsps, https) do not check the certificate: cameras sign their own.

    Args:
        url: an address as in `ALLOWED`. Our own query keys are taken out of it: `transport`
            (tcp, udp) for RTSP, `loop` (0, 1) for files, `seed` and `size` for rendered scenes.
        pace: how files and rendered scenes are played; cameras set their own pace.
        timeouts: patience with network sources.
        hardware: where pictures of streams and files are decoded; None: on the processor.

    Raises:
        ConfigError: if the scheme or one of our query values is unknown; names what is allowed.
    """
    scheme = _scheme(url)
    make = _SCHEMES.get(scheme)
    if make is None:
        raise ConfigError(f"source {redact(url)!r}: unknown scheme, allowed are {ALLOWED}")
    return make(url, Play(pace, timeouts or Timeouts(), hardware or Processor()))


def _scheme(url: str) -> str:
    match = re.match(r"([A-Za-z][A-Za-z0-9+.-]*):", url)
    if match is None or _exists(url):
        return "file"
    return match[1].lower()


def _exists(path: str) -> bool:
    try:
        return Path(path).exists()
    except OSError:  # too long for a name, say
        return False


def _network(medium: Medium, play: Play, *, paced: bool) -> Source:
    recorded = not medium.live
    make_pacer = play.pace.pacer if recorded else Realtime if paced else Unpaced
    return ThreadSource(
        lambda: AvReader(medium, play.timeouts, make_pacer, play.hardware),
        medium.label,
        live=medium.live,
        lossless=recorded and play.pace.lossless,
        open_timeout_s=play.timeouts.open_s + play.timeouts.read_s,
    )


def _rtsp(url: str, play: Play) -> Source:
    address, own = take_query(url, "transport")
    transport = _choice(url, own, "transport", ("tcp", "udp"))
    address = with_escaped_credentials(address)
    medium = Medium(
        address,
        redact(address),
        live=True,
        host=urlsplit(address).hostname,
        tls=url.lower().startswith("rtsps"),
        options={
            "rtsp_transport": transport,
            "timeout": str(int(play.timeouts.read_s * 1e6)),  # microseconds, of the socket
        },
    )
    return _network(medium, play, paced=False)


def _rtmp(url: str, play: Play) -> Source:
    # No `timeout` option: for RTMP it means "listen". The limits of av.open hold here as well.
    address = with_escaped_credentials(url)
    medium = Medium(address, redact(url), live=True, host=urlsplit(address).hostname)
    return _network(medium, play, paced=False)


def _http(url: str, play: Play) -> Source:
    """HLS and MJPEG are live; an address that ends like a file is a file."""
    address = with_escaped_credentials(url)
    path = urlsplit(address).path.lower()
    medium = Medium(
        address,
        redact(url),
        live=_RECORDING.search(path) is None,
        host=urlsplit(address).hostname,
        tls=url.lower().startswith("https"),
        options={"timeout": str(int(play.timeouts.read_s * 1e6))},
    )
    # HLS arrives in bursts of whole segments, which would push each other out of the buffer.
    return _network(medium, play, paced=path.endswith(".m3u8"))


def _file(url: str, play: Play) -> Source:
    address, own = (url, {}) if _exists(url) else take_query(url, "loop")
    loop = _choice(url, own, "loop", ("0", "1")) == "1"
    if address.lower().startswith("file://"):
        address = unquote(urlsplit(address).path)
    elif address.lower().startswith("file:"):
        address = address[len("file:") :]
    path = os.path.expanduser(address)
    medium = Medium(
        f"file:{path}",
        path,
        live=False,
        loop=loop,
        # A playlist from somewhere else must not make this machine call other addresses.
        options={"protocol_whitelist": "file,crypto,data"},
    )
    return _network(medium, play, paced=False)


def _usb(url: str, _play: Play) -> Source:
    name = url.partition(":")[2].removeprefix("//") or "0"
    if not name.isdecimal() and not name.startswith("/dev/"):
        raise ConfigError(f"source {url!r}: allowed are usb:NUMBER and usb:/dev/NAME")
    device = int(name) if name.isdecimal() else name
    label = f"usb:{name}"
    return ThreadSource(lambda: UsbReader(device, label), label, live=True)


def _demo(url: str, play: Play) -> Source:
    address, own = take_query(url, "seed", "size")
    name = address.partition(":")[2].removeprefix("//")
    size = re.fullmatch(r"(\d{2,4})x(\d{2,4})", own.get("size", "384x384"))
    try:
        seed = int(own["seed"]) if "seed" in own else None
        if size is None:
            raise ValueError
    except ValueError:
        raise ConfigError(f"source {url!r}: allowed are ?seed=NUMBER, ?size=WIDTHxHEIGHT") from None
    return DemoSource(name, seed, play.pace, size=(int(size[2]), int(size[1])))


def _choice(url: str, own: dict[str, str], key: str, allowed: tuple[str, ...]) -> str:
    value = own.get(key, allowed[0])
    if value not in allowed:
        raise ConfigError(
            f"source {redact(url)!r}: {key}={value!r}, allowed are {', '.join(allowed)}"
        )
    return value


_SCHEMES: dict[str, Callable[[str, Play], Source]] = {
    "rtsp": _rtsp,
    "rtsps": _rtsp,
    "rtmp": _rtmp,
    "http": _http,
    "https": _http,
    "file": _file,
    "usb": _usb,
    "demo": _demo,
}
