"""Source addresses: taken apart in one place, and made safe to show in one place."""

from __future__ import annotations

import re
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit

from core.errors import ConfigError

_SECRET_KEY = re.compile(
    r"pass|pwd|pw|secret|token|key|auth|sig|user|usr|login|cred", re.IGNORECASE
)
_PATH_PAIR = re.compile(r"([^&;#/=\s]+)=([^&;#]*)")
_QUERY_PAIR = re.compile(r"([^&=]+)=([^&]*)")
_LOGIN = re.compile(r"(?!file:|usb:|demo:)([A-Za-z][^:/?#\s]*:)/?.*@", re.IGNORECASE)
_MASK = "***"


def redact(url: str) -> str:
    """The address without what must not be seen.

    User and password are removed, also a password that holds `@`, `:` or `/` as it stands, and
    also where the scheme is missing or damaged; values of keys that look like secrets are masked,
    in the query and in the path. Where an address can be read in two ways, more is hidden rather
    than less.
    """
    scheme, mark, rest = url.partition("://")
    if not mark:
        return _masked(_LOGIN.sub(r"\1", url))
    head, at, tail = rest.rpartition("@")
    authority = re.split(r"[/?#]", rest, maxsplit=1)[0]
    if at and ("@" in authority or ":" in head):
        rest = tail
    return f"{scheme}://{_masked(rest)}"


def _masked(text: str) -> str:
    path, mark, query = text.partition("?")
    return f"{_PATH_PAIR.sub(_hidden, path)}{mark}{_QUERY_PAIR.sub(_hidden, query)}"


def _hidden(pair: re.Match[str]) -> str:
    """A pair without its value, if that is secret or, as in `1_password=x`, holds such a pair."""
    key, value = pair.groups()
    secret = _SECRET_KEY.search(key) or ("=" in value and _SECRET_KEY.search(value))
    return f"{key}={_MASK}" if secret else pair[0]


def with_escaped_credentials(url: str) -> str:
    """The same address with user and password percent-encoded, as the media library wants it.

    Raises:
        ConfigError: if there is no host or the port is not a number.
    """
    try:
        parts = urlsplit(url)
        host, port, user, password = parts.hostname, parts.port, parts.username, parts.password
    except ValueError:
        host = None
    if not host:
        raise ConfigError(
            f"source {redact(url)!r}: not a valid address, expected SCHEME://[USER:PASSWORD@]HOST"
            "[:PORT]/PATH; write '/', '?' and '#' inside a password as %2F, %3F and %23"
        ) from None
    if user is None:
        return url
    login = ":".join(quote(unquote(part), safe="") for part in (user, password) if part is not None)
    place = f"[{host}]" if ":" in host else host
    netloc = f"{login}@{place}" + (f":{port}" if port is not None else "")
    return parts._replace(netloc=netloc).geturl()


def take_query(url: str, *keys: str) -> tuple[str, dict[str, str]]:
    """Separates our own query keys from an address; the rest of it is untouched.

    Returns:
        The address without the keys, and the values of those that were there.
    """
    path, mark, query = url.partition("?")
    if not mark:
        return url, {}
    own = {key: value for key, value in parse_qsl(query, keep_blank_values=True) if key in keys}
    others = [pair for pair in query.split("&") if unquote(pair.partition("=")[0]) not in keys]
    return (f"{path}?{'&'.join(others)}" if others else path), own


def join_query(url: str, values: dict[str, str]) -> str:
    """Adds query values to an address."""
    if not values:
        return url
    return f"{url}{'&' if '?' in url else '?'}{urlencode(values)}"
