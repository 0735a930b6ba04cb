"""The contract of position schemes: which positions the tokens of an answer get.

The text that a model says has one number on all three axes (t, h, w). Input is numbered by memory,
output by a scheme, which is told where the input stands whenever a token is planned. A scheme is a
frozen dataclass, its own configuration, and holds nothing about any answer.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True, slots=True)
class Stand:
    """Where the input of a camera stands."""

    next: int  # position of what comes next, as the answer sees it
    numbered: int  # position after all that has a number, a segment on its way included
    end: int  # position after the newest step that the answer sees


@dataclass(frozen=True, slots=True)
class Said:
    """Where an answer stands."""

    start: int  # position of the first token said since the input last moved on
    last: int  # position of the newest token


class Positions(ABC):
    """Numbers what is said.

    Laws, tested for every scheme in `engine.positions.registry`: the positions of an answer rise;
    the input never goes back.
    """

    # Pydantic reads this: an unknown field in a configuration is refused, not ignored.
    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}

    scheme: str
    # Whether segments of the camera get no number, and so do not enter memory, until an answer
    # under way has ended.
    input_waits: ClassVar[bool] = False

    def question(self, stand: Stand) -> int:
        """Where the question starts, which is input: after what the answer sees."""
        return stand.next

    @abstractmethod
    def first(self, after: int) -> int:
        """Where output starts, which is with the marks that open an answer.

        Args:
            after: position after the question.
        """

    def next(self, said: Said, stand: Stand) -> int:
        """Where the next token stands: right after the last, wherever the input is."""
        return said.last + 1

    def resume(self, said: Said, stand: int) -> int:
        """Where the input goes on: where it stands, as if nothing had been said."""
        return stand
