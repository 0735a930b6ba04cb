"""What the media library's errors mean to someone who wants to see the camera again.

The library's own texts hold the address with its password, so none of them is ever passed on.
"""

from __future__ import annotations

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
    error: Exception, label: str, *, waited_s: float, timeout_s: float, tls: bool
) -> SourceUnavailable:
    """The media library's error as ours; raise it `from None`.

    Args:
        error: what the library raised.
        label: safe to show.
        waited_s: how long the failed call took.
        timeout_s: the limit it ran under. A server that accepts and then says nothing is reported
            by the library as invalid data once the limit has passed.
        tls: whether the connection was to be encrypted.
    """
    reason: Reason = next((r for kind, r in _REASONS if isinstance(error, kind)), "unknown")
    if reason in ("codec", "unknown") and waited_s >= 0.9 * timeout_s:
        reason = "timeout"
    elif reason == "unknown" and tls and isinstance(error, OSError):
        reason = "tls"
    detail = "" if reason != "unknown" else f"it cannot be read ({type(error).__name__})"
    return unavailable(label, reason, detail)
