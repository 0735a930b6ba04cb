"""From the server's error events back to the exceptions of `core.errors`."""

from __future__ import annotations

from collections.abc import Iterator

from core.errors import Busy, LookoutError
from core.events import ErrorBody


def error_of(body: ErrorBody) -> LookoutError:
    """The exception for an error event; `LookoutError` itself for a code that is not known here."""
    if body.code == Busy.code:
        hint = body.lookout
        return Busy(body.message, None if hint is None else hint.retry_after_ms / 1000)
    for kind in _kinds(LookoutError):
        if kind.code == body.code:
            return kind(body.message)
    return LookoutError(f"{body.message} ({body.code})")


def _kinds(kind: type[LookoutError]) -> Iterator[type[LookoutError]]:
    yield kind
    for narrower in kind.__subclasses__():
        yield from _kinds(narrower)
