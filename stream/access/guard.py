"""What stands before every route: Host and Origin are checked, the caller is identified.

Host: only names that are ours, so that a foreign name that was rebound to our address gets nothing.
Origin: only our own pages and configured ones, since browsers send cookies along to anybody.
"""

from __future__ import annotations

import ipaddress
import json
import socket
from collections.abc import Iterable
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from core.errors import Unauthorized
from stream.access.auth import Doorman

# Readable by anybody: the page holds no secrets, and a balancer has no key.
OPEN_PATHS = ("/healthz", "/readyz", "/api/login")
MAX_BODY_BYTES = 2**20
GUARDED_PREFIXES = ("/api/", "/v1/", "/whip/", "/metrics", "/docs", "/openapi.json")

SECURITY_HEADERS = (
    (
        b"content-security-policy",
        b"default-src 'self'; img-src 'self' blob: data:; media-src 'self' blob:; "
        b"connect-src 'self' ws: wss:; object-src 'none'; base-uri 'none'; "
        b"form-action 'self'; frame-ancestors 'none'",
    ),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(self), microphone=(self)"),
)


class Guard:
    """ASGI middleware; puts the caller's `Identity` into the scope's state.

    A websocket whose caller is unknown is let through with the error in its state instead, because
    a browser can read a close code but not a refused handshake.

    Args:
        app: what stands behind.
        doorman: tells who somebody is.
        host: the address listened on; if it is a name, it is ours.
        origins: further origins that may call, whose hosts are ours too.
    """

    def __init__(
        self, app: ASGIApp, *, doorman: Doorman, host: str, origins: Iterable[str] = ()
    ) -> None:
        self._app = app
        self._doorman = doorman
        self._origins = frozenset(origin.rstrip("/").lower() for origin in origins)
        own = socket.gethostname().lower()
        names = {"localhost", own, f"{own.partition('.')[0]}.local", host.lower()}
        self._names = names | {urlsplit(origin).hostname or "" for origin in self._origins}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse with 403 or 401, or pass on."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        problem = self._wrong_host(headers) or self._wrong_origin(headers)
        if problem:
            await _refuse(scope, send, 403, *problem)
            return
        state = scope.setdefault("state", {})
        if (refusal := _too_much(scope, headers)) is not None:
            await _refuse(scope, send, *refusal)
            return
        try:
            state["identity"] = self._doorman.identify(headers, scope.get("subprotocols", ()))
        except Unauthorized as error:
            if scope["type"] == "websocket":
                state["unauthorized"] = error
            elif _needs_login(scope["path"]):
                await _refuse(scope, send, 401, error.code, str(error))
                return
        await self._app(scope, receive, _with_headers(send))

    def _wrong_host(self, headers: Headers) -> tuple[str, str] | None:
        name = _host_name(headers.get("host", ""))
        if name in self._names or _is_address(name):
            return None
        return (
            "wrong_host",
            "this server does not know itself under that name; "
            "add https://NAME to server.allowed_origins",
        )

    def _wrong_origin(self, headers: Headers) -> tuple[str, str] | None:
        origin = headers.get("origin")
        if origin is None:
            return None  # not a page in a browser
        same = _place(origin) == headers.get("host", "").lower() != ""
        if same or origin.lower() in self._origins:
            return None
        return (
            "wrong_origin",
            "pages from that origin may not call; add it to server.allowed_origins",
        )


def _too_much(scope: Scope, headers: Headers) -> tuple[int, str, str] | None:
    """Bodies must say how long they are, and be short: some are read before anybody logs in."""
    if scope["type"] != "http":
        return None
    if "chunked" in headers.get("transfer-encoding", "").lower():
        return 411, "length_required", "send a Content-Length instead of a chunked body"
    length = headers.get("content-length", "0")
    if not length.isdigit() or int(length) > MAX_BODY_BYTES:
        return 413, "too_large", f"a body may have {MAX_BODY_BYTES} bytes at most"
    return None


def _needs_login(path: str) -> bool:
    return path.startswith(GUARDED_PREFIXES) and path not in OPEN_PATHS


def _host_name(host: str) -> str:
    """The name in a Host header without its port, in lower case."""
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""


def _place(origin: str) -> str:
    """Host and port of an origin, in lower case; empty if it is none."""
    try:
        return urlsplit(origin).netloc.lower()
    except ValueError:
        return ""


def _is_address(name: str) -> bool:
    """A literal address cannot be rebound."""
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _with_headers(send: Send) -> Send:
    async def decorated(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = [*message.get("headers", ()), *SECURITY_HEADERS]
            if not any(name.lower() == b"cache-control" for name, _ in headers):
                headers.append((b"cache-control", b"no-cache"))  # ask again; an update counts
            message = {**message, "headers": headers}
        await send(message)

    return decorated


async def _refuse(scope: Scope, send: Send, status: int, code: str, text: str) -> None:
    body = json.dumps({"error": {"type": "invalid_request_error", "code": code, "message": text}})
    kind = "websocket.http.response" if scope["type"] == "websocket" else "http.response"
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
    ]
    if status == 401:
        headers.append((b"www-authenticate", b"Bearer"))
    await send({"type": f"{kind}.start", "status": status, "headers": headers})
    await send({"type": f"{kind}.body", "body": body.encode()})
