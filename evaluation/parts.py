"""Which part of a long measurement a call is to make, so that several can share it."""

from __future__ import annotations

from core.errors import ConfigError


def part(text: str) -> tuple[int, int]:
    """What `--part I/N` says: (I, N), the I-th of N parts, from 1.

    Raises:
        ConfigError: if it says something else.
    """
    number, slash, count = text.partition("/")
    if slash and number.isdecimal() and count.isdecimal() and 1 <= int(number) <= int(count):
        return int(number), int(count)
    raise ConfigError(f"--part {text}: say I/N, the I-th of N parts")
