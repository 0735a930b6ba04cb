"""The kinds of primitive questions: how each is asked, what may be said, what an answer says."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from worlds.wording import NUMBERS

WAYS: Final = ("up", "left", "down", "right")  # each a quarter turn to the left of the one before
_WORDS: Final = {word: str(n) for n, word in enumerate(NUMBERS)} | {"no": "0", "zero": "0"}


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of question.

    Args:
        text: the question, in words that the embedded model knows.
        options: what the truth may be; somebody who guesses takes each of them equally often.
        read: what an answer says, given the options; None where it says nothing or two things.
            What it says need not be an option.
        turns: whether the truth turns with the picture.
        near: whether what was said (first) is roughly the truth; None where there is no roughly.
    """

    text: str
    options: tuple[str, ...]
    read: Callable[[str, tuple[str, ...]], str | None]
    turns: bool = False
    near: Callable[[str, str], bool] | None = None


def named(answer: str, options: tuple[str, ...]) -> str | None:
    """The one option whose word stands in the answer."""
    found = set(re.findall(r"\w+", answer.lower())) & set(options)
    return found.pop() if len(found) == 1 else None


def numbered(answer: str, options: tuple[str, ...]) -> str | None:
    """The one whole number in the answer, as digits, whether it is an option or not."""
    words = re.findall(r"\w+", answer.lower())
    found = {_WORDS.get(word, word) for word in words if word in _WORDS or word.isdecimal()}
    return str(int(found.pop())) if len(found) == 1 else None


def within_one(said: str, truth: str) -> bool:
    """Whether two numbers, as digits, differ by at most one."""
    return abs(int(said) - int(truth)) <= 1


def turned(way: str, quarters: int) -> str:
    """Where a way points after the picture was turned to the left by quarters."""
    return WAYS[(WAYS.index(way) + quarters) % 4]


KINDS: Final[dict[str, Kind]] = {
    "moving": Kind("Is anything moving?", ("yes", "no"), named),
    "direction": Kind("Which way is the moving thing moving?", WAYS, named, turns=True),
    "count": Kind("How many moving things are there?", ("0", "1", "2"), numbered, near=within_one),
    # Green is never true here: a fourth thing to say, so that guessing is right once in four.
    "colour": Kind("What color is the moving thing?", ("white", "red", "blue", "green"), named),
}
