"""What the media library's errors mean to someone who wants to see the camera again.

The library's own texts hold the address with its password, so none of them is ever passed on.
"""

from __future__ import annotations

import errno
import socket

import av.error

from core.errors import Reason, SourceUnavailable

_MEANING: dict[Reason, str] = {
    "auth": "wrong or missing user or password",
    "not_found": "nothing there under this path",
    "timeout": "it does not answer in time",
    "refused": "nothing listens there, or it takes no more viewers",
    "codec": "no video that can be decoded; not a video, or damaged",
    "no_keyframe": "video arrives, but no keyframe to begin with",
    "tls": "the encrypted connection failed",
    "ended": "it has stopped sending",
    "unknown": "it cannot be read",
}

_UNREACHABLE = (errno.EHOSTUNREACH, errno.ENETUNREACH, errno.ENETDOWN)

# In this order: the more telling class first.
_REASONS: tuple[tuple[type[Exception], Reason], ...] = (
    (av.error.HTTPUnauthorizedError, "auth"),
    (av.error.HTTPForbiddenError, "auth"),
    (PermissionError, "auth"),
    (av.error.HTTPNotFoundError, "not_found"),
    (FileNotFoundError, "not_found"),
    (IsADirectoryError, "not_found"),
    (ConnectionRefusedError, "refused"),
    (av.error.HTTPServerError, "refused"),
    (av.error.HTTPTooManyRequestsError, "refused"),
    (av.error.HTTPOtherClientError, "refused"),
    (TimeoutError, "timeout"),
    (av.error.ExitError, "timeout"),
    (ConnectionError, "ended"),
    (av.error.EOFError, "ended"),
    (av.error.DecoderNotFoundError, "codec"),
    (av.error.DemuxerNotFoundError, "codec"),
    (av.error.InvalidDataError, "codec"),
    (av.error.PatchWelcomeError, "codec"),
)


def unavailable(label: str, reason: Reason, detail: str = "") -> SourceUnavailable:
    """The error for a reason, in words; `label` and `detail` must be safe to show."""
    return SourceUnavailable(f"{label}: {detail or _MEANING[reason]}", reason)


def translate(
    error: Exception, label: str, *, overdue: bool, host: str | None, tls: bool
) -> SourceUnavailable:
    """The media library's error as ours; raise it `from None`. May look the host's name up.

    Args:
        error: what the library raised.
        label: safe to show.
        overdue: the failed call has used up its time. A server that accepts and then says nothing
            is reported by the library as invalid data.
        host: the machine that was to be reached; None for a file.
        tls: whether the connection was to be encrypted.
    """
    reason: Reason = next((r for kind, r in _REASONS if isinstance(error, kind)), "unknown")
    detail = ""
    if reason in ("codec", "unknown") and overdue:
        reason = "timeout"
    elif isinstance(error, OSError) and error.errno in _UNREACHABLE:
        reason, detail = "timeout", "its machine cannot be reached from here"
    elif reason == "unknown" and host is not None and not _is_known(host):
        reason, detail = "not_found", f"no machine is called {host}"
    elif reason == "unknown" and tls and isinstance(error, OSError):
        reason = "tls"
    elif reason == "unknown":
        detail = f"it cannot be read ({type(error).__name__})"
    elif host is None and isinstance(error, PermissionError):
        detail = "this user may not read it"
    return unavailable(label, reason, detail)


def _is_known(host: str) -> bool:
    """The library reports an unknown name and a broken connection alike, as an I/O error."""
    try:
        socket.getaddrinfo(host, None)
    except OSError:
        return False
    return True
