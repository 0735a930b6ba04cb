"""How the test server asks for a password: Basic or Digest (RFC 7617, RFC 2617)."""

from __future__ import annotations

import base64
import hashlib
import os
import re
from abc import ABC, abstractmethod


class Auth(ABC):
    """One user with one password."""

    def __init__(self, user: str, password: str) -> None:
        self.user = user
        self.password = password

    @abstractmethod
    def challenge(self) -> str:
        """The value of WWW-Authenticate."""

    @abstractmethod
    def accepts(self, method: str, credentials: str) -> bool:
        """Whether the value of Authorization is right for this request."""


class BasicAuth(Auth):
    """The password as it stands."""

    def challenge(self) -> str:
        """The value of WWW-Authenticate."""
        return 'Basic realm="test"'

    def accepts(self, method: str, credentials: str) -> bool:
        """Whether the value of Authorization is right."""
        expected = base64.b64encode(f"{self.user}:{self.password}".encode()).decode()
        return credentials == f"Basic {expected}"


class DigestAuth(Auth):
    """A hash that proves the password."""

    def __init__(self, user: str, password: str) -> None:
        super().__init__(user, password)
        self._nonce = os.urandom(8).hex()

    def challenge(self) -> str:
        """The value of WWW-Authenticate."""
        return f'Digest realm="test", nonce="{self._nonce}"'

    def accepts(self, method: str, credentials: str) -> bool:
        """Whether the value of Authorization is right."""
        if not credentials.startswith("Digest "):
            return False
        given = dict(re.findall(r'(\w+)="?([^",]*)"?', credentials))
        secret = _md5(f"{self.user}:test:{self.password}")
        request = _md5(f"{method}:{given.get('uri')}")
        proof = _md5(f"{secret}:{self._nonce}:{request}")
        return (given.get("nonce"), given.get("response")) == (self._nonce, proof)


def _md5(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()
