"""Who somebody is: API keys stored as hashes, and short-lived tokens made from them.

API keys are long and random, so a plain SHA-256 is enough: there is nothing to guess. Tokens live
in memory only; a restart ends them.
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import secrets
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from http.cookies import CookieError, SimpleCookie
from typing import Literal

from core.errors import ConfigError, Forbidden, TokenExpired, Unauthorized

Role = Literal["user", "admin"]

COOKIE = "lookout"
SUBPROTOCOL = "realtime"
TOKEN_SUBPROTOCOLS = ("lookout.token.", "openai-insecure-api-key.")
MIN_KEY_CHARS = 20  # what is shorter could be guessed, and hashing it would not help


@dataclass(frozen=True, slots=True)
class Identity:
    """Somebody who may come in."""

    name: str
    role: Role
    may_delegate: bool = True  # may ask for tokens; a short-lived token may not renew itself

    def require_admin(self, what: str) -> None:
        """Do nothing for an admin.

        Raises:
            Forbidden: for anybody else.
        """
        if self.role != "admin":
            raise Forbidden(f"{what} needs the admin role; '{self.name}' is a '{self.role}'")


@dataclass(frozen=True, slots=True)
class KeyRecord:
    """One API key as stored."""

    name: str
    sha256: str
    role: Role


def hash_key(key: str) -> str:
    """What is stored of a key: 64 hexadecimal digits."""
    return hashlib.sha256(key.encode()).hexdigest()


def new_key() -> str:
    """A key with 256 random bits."""
    return f"lk_{secrets.token_urlsafe(32)}"


def environment_key(environment: Mapping[str, str]) -> KeyRecord | None:
    """The admin key in LOOKOUT_API_KEY, if it is set.

    Raises:
        ConfigError: if it is too short to be safe.
    """
    key = environment.get("LOOKOUT_API_KEY")
    if not key:
        return None
    if len(key) < MIN_KEY_CHARS:
        raise ConfigError(
            f"LOOKOUT_API_KEY has {len(key)} characters, at least {MIN_KEY_CHARS} are needed; "
            "`lookout config key` makes one"
        )
    return KeyRecord("environment", hash_key(key), "admin")


def is_loopback(host: str) -> bool:
    """Whether listening on `host` reaches this machine only."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


class Tokens:
    """Short-lived secrets for browsers, at most `limit`; the oldest of who asks for more gives way.

    Args:
        limit: tokens kept at most, expired ones included, so that those can be told from unknown.
        clock: monotonic seconds.
    """

    def __init__(self, limit: int = 4096, clock: Callable[[], float] = time.monotonic) -> None:
        self._limit = limit
        self._clock = clock
        self._known: OrderedDict[str, tuple[Identity, float]] = OrderedDict()

    def issue(self, identity: Identity, seconds: float, *, may_delegate: bool) -> str:
        """A new token that stands for `identity` for so long.

        Raises:
            Forbidden: if the identity itself came with such a token.
        """
        if not identity.may_delegate:
            raise Forbidden("a short-lived token cannot ask for another one; use the API key")
        token = f"lt_{secrets.token_urlsafe(32)}"
        bearer = replace(identity, may_delegate=may_delegate)
        if len(self._known) >= self._limit:
            self._make_room(identity.name)
        self._known[hash_key(token)] = (bearer, self._clock() + seconds)
        return token

    def _make_room(self, name: str) -> None:
        """Forget a token of whoever wants another one: nobody can log others out by asking."""
        own = (key for key, (identity, _) in self._known.items() if identity.name == name)
        del self._known[next(own, None) or next(iter(self._known))]

    def find(self, token: str) -> Identity | None:
        """Whom a token stands for; None if it is unknown.

        Raises:
            TokenExpired: if its time is over.
        """
        known = self._known.get(hash_key(token))
        if known is None:
            return None
        identity, until = known
        if self._clock() >= until:
            raise TokenExpired("the token has expired; ask for a new one and connect again")
        return identity

    def revoke(self, token: str) -> None:
        """Forget a token; idempotent."""
        self._known.pop(hash_key(token), None)


class Doorman:
    """Tells who somebody is from what a request brings.

    Without any key everybody is `anonymous`: an admin on loopback, a user beyond it.

    Args:
        host: the address listened on.
        keys: the API keys.
        allow_anyone: accept to listen beyond loopback without a key.

    Raises:
        ConfigError: without a key, beyond loopback, and not `allow_anyone`.
    """

    def __init__(self, host: str, keys: Iterable[KeyRecord], *, allow_anyone: bool = False) -> None:
        self._keys = tuple(keys)
        self.tokens = Tokens()
        self.loopback = is_loopback(host)
        if not self._keys and not self.loopback and not allow_anyone:
            raise ConfigError(
                f"server.host: {host} is reachable from outside, so an API key is needed: set "
                "LOOKOUT_API_KEY or server.api_keys (`lookout config key` makes one), "
                "or say --allow-anyone"
            )

    @property
    def asks_for_keys(self) -> bool:
        """Whether anybody must log in."""
        return bool(self._keys)

    def identify(self, headers: Mapping[str, str], subprotocols: Iterable[str] = ()) -> Identity:
        """Who this is.

        Args:
            headers: of the request, names in lower case.
            subprotocols: offered by a websocket's client.

        Raises:
            Unauthorized: if nothing brought is good.
            TokenExpired: if a token was good once.
        """
        if not self._keys:
            return Identity("anonymous", "admin" if self.loopback else "user")
        for secret in _secrets_in(headers, subprotocols):
            identity = self.tokens.find(secret) or self._by_key(secret)
            if identity is not None:
                return identity
        raise Unauthorized("log in: send an API key as `Authorization: Bearer KEY`, or a token")

    def _by_key(self, secret: str) -> Identity | None:
        digest = hash_key(secret)
        found = None
        for key in self._keys:  # all of them, so that time tells nothing
            if hmac.compare_digest(key.sha256, digest):
                found = Identity(key.name, key.role)
        return found


def _secrets_in(headers: Mapping[str, str], subprotocols: Iterable[str]) -> Iterable[str]:
    scheme, _, value = headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer" and value:
        yield value.strip()
    for offered in subprotocols:
        for prefix in TOKEN_SUBPROTOCOLS:
            if offered.startswith(prefix):
                yield offered.removeprefix(prefix)
    cookie = session_cookie(headers)
    if cookie:
        yield cookie


def session_cookie(headers: Mapping[str, str]) -> str | None:
    """The token in our cookie, if there is one."""
    try:
        morsel = SimpleCookie(headers.get("cookie", "")).get(COOKIE)
    except CookieError:
        return None
    return morsel.value if morsel else None
