"""Whether a question opens the archive: what is now is read from the recent window alone.

More history raises what is recalled and lowers what is seen now (SimpleStream, arXiv 2604.02317),
so a question has to ask for the past.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar, Final, Literal

# Not "the left", a place; nor "tell me when", which waits for what is still to come.
_PAST: Final = re.compile(
    r"\b(was|were|did|had|been|ago|before|after|earlier|previous(ly)?|past|last|first|"
    r"(?<!\bme )(?<!\bknow )when|(just|who|what|it|he|she|they) left|"
    r"(has|have) (\w+ ){0,3}(?<!the )left|"
    r"since|ever|happened|history|so far|already|yesterday|remember|seen|saw|came|appeared|"
    r"disappeared|changed|recent(ly)?|in the morning|this morning|at \d+|"
    r"took|taken|went|gone|entered|passed|walked|arrived|brought|dropped|fell|fallen|moved|rang|"
    r"knocked|delivered|stole|stolen|broke)\b",
    re.IGNORECASE,
)


class Gate(ABC):
    """Decides by a question's words."""

    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}

    @abstractmethod
    def opens(self, question: str) -> bool:
        """Whether the question reads the archive."""


@dataclass(frozen=True)
class PastTense(Gate):
    """Opens for words of the past, in English; any other language keeps it shut."""

    method: Literal["past_tense"] = "past_tense"

    def opens(self, question: str) -> bool:
        """See `Gate.opens`."""
        return _PAST.search(question) is not None


@dataclass(frozen=True)
class Always(Gate):
    """Opens for every question."""

    method: Literal["always"] = "always"

    def opens(self, question: str) -> bool:
        """See `Gate.opens`."""
        return True


GATES: Final = (PastTense, Always)
