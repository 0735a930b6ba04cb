"""Which addresses a camera added over the network may point to.

A client must not be able to make the server open files, devices or hosts that only the server can
reach. Names are resolved here and once more when the source opens, so a name server that answers
differently the second time is not caught; an allow-list of networks does not depend on names.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import Iterable
from urllib.parse import urlsplit

from core.errors import Forbidden

NETWORK_SCHEMES = frozenset({"rtsp", "rtsps", "rtmp", "http", "https"})
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
Address = ipaddress.IPv4Address | ipaddress.IPv6Address


async def check_target(url: str, allowed: Iterable[str], *, loopback_only: bool) -> None:
    """Do nothing if a client may attach this.

    Args:
        url: as the client gave it.
        allowed: host names and networks inside private ranges that are fine.
        loopback_only: the server is reachable from this machine only, so its callers could open
            any host themselves.

    Raises:
        Forbidden: if not; the text holds no credentials.
    """
    if not url.isprintable():  # it would reach requests and logs as it stands
        raise Forbidden("the URL holds a control character; write it as %XX")
    scheme = url.partition(":")[0].lower()
    if scheme == "demo":
        return
    if scheme not in NETWORK_SCHEMES:
        raise Forbidden(
            "over the network only rtsp://, rtsps://, rtmp://, http(s):// and demo: may be added; "
            "files and devices go into the configuration or `lookout serve --source NAME=URL`"
        )
    if loopback_only:
        return
    try:
        host = urlsplit(url).hostname
    except ValueError:
        host = None
    if not host:
        raise Forbidden("the URL names no host")
    names = {entry.lower() for entry in allowed}
    if host.lower() in names:
        return
    networks = [network for entry in names if (network := _network(entry)) is not None]
    for address in await _addresses(host):
        public = address.is_global and not address.is_multicast
        if not public and not any(address in network for network in networks):
            raise Forbidden(f"{host} is in a private network; allow it in server.allowed_targets")


async def _addresses(host: str) -> list[Address]:
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except OSError:
        raise Forbidden(f"{host} is not known to the name server") from None
    return [_unmapped(ipaddress.ip_address(entry[4][0])) for entry in found]


def _unmapped(address: Address) -> Address:
    """The IPv4 address inside an IPv6 one, which would otherwise pass as something else."""
    if isinstance(address, ipaddress.IPv4Address):
        return address
    if address in _NAT64:
        return ipaddress.IPv4Address(int(address) & 0xFFFF_FFFF)
    return address.ipv4_mapped or address.sixtofour or address


def _network(entry: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network | None:
    try:
        return ipaddress.ip_network(entry, strict=False)
    except ValueError:
        return None
