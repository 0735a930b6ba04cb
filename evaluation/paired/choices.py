"""What may be answered to one question: a few texts, with or without option letters."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from string import ascii_lowercase
from typing import Any, Final

_EDGES: Final = " \t\n.,;:!?\"'()[]{}<>\u201c\u201d\u2018\u2019"
_MARKS: Final = re.compile(r"[*`_]+")  # emphasis of Markdown says nothing
_LISTED: Final = re.compile(r"^\s*[(\[]?([A-Z])[.):\]]\s*(\S.*?)\s*$", re.MULTILINE)


def normal(text: str) -> str:
    """The text in lower case, without emphasis, outer punctuation and runs of space."""
    folded = unicodedata.normalize("NFKC", text).casefold()
    plain = _MARKS.sub(" ", unicodedata.normalize("NFKC", folded))
    return " ".join(plain.split()).strip(_EDGES)


@dataclass(frozen=True, slots=True)
class Choices:
    """The answers a question allows; an answer is known by its normalised text.

    Args:
        texts: normalised, distinct, in the order of their letters.
        lettered: whether "a" may be said for the first, "b" for the second, and so on.

    Raises:
        ValueError: fewer than two, more than there are letters, one is empty or not normalised,
            two are equal, or a text is the letter of another.
    """

    texts: tuple[str, ...]
    lettered: bool = False

    def __post_init__(self) -> None:
        if len(self.texts) < 2 or len(set(self.texts)) < len(self.texts):
            raise ValueError(f"options {self.texts} are not two or more different ones")
        if any(not text or text != normal(text) for text in self.texts):
            raise ValueError(f"options {self.texts} are not words")
        if not self.lettered:
            return
        if len(self.texts) > len(ascii_lowercase):
            raise ValueError(f"{len(self.texts)} options are more than there are letters")
        for letter, text in zip(ascii_lowercase, self.texts, strict=False):
            if text in self.letters and text != letter:
                raise ValueError(f"option {letter.upper()} reads {text.upper()!r}")

    @property
    def letters(self) -> str:
        """The letters in use, lower case; empty without letters."""
        return ascii_lowercase[: len(self.texts)] if self.lettered else ""

    def named(self, text: str) -> str | None:
        """The choice that a normalised text is: its letter, its text, or both; else None.

        Where only the letters are known, any text may stand behind a marked one ("b. to the left").
        """
        if text in self.texts:
            return text
        letter, rest = text[:1], normal(text[1:])
        if not letter or letter not in self.letters:
            return None
        own = self.texts[self.letters.index(letter)]
        if own == letter:
            return own if not rest or text[1] in ".):" else None
        return own if not rest or (rest == own and not text[1].isalnum()) else None


YES_NO: Final = Choices(("yes", "no"))


def from_options(options: Any) -> Choices:
    """The choices of an options column.

    Args:
        options: a list of texts, with or without their letters in front, or an object of texts by
            letter.

    Raises:
        ValueError: it is something else, or the texts are no `Choices`.
    """
    if isinstance(options, Mapping):
        keys = sorted(options, key=str)
        if [normal(str(key)) for key in keys] != list(ascii_lowercase[: len(keys)]):
            raise ValueError(f"options have the letters {keys}")
        options = [options[key] for key in keys]
    if not isinstance(options, Sequence) or isinstance(options, str):
        raise ValueError("options are neither a list nor an object")
    if not all(isinstance(option, str | int) for option in options):
        raise ValueError("options are not texts")
    letters = zip(ascii_lowercase, options, strict=False)
    return Choices(tuple(_unlettered(letter, str(text)) for letter, text in letters), lettered=True)


def from_question(question: str) -> Choices | None:
    """The choices that stand in a question, one per line behind A, B, ...; None without any.

    Raises:
        ValueError: there are some, and they are no `Choices`.
    """
    found = [(letter.lower(), text) for letter, text in _LISTED.findall(question)]
    if len(found) < 2 or "".join(letter for letter, _ in found) != ascii_lowercase[: len(found)]:
        return None
    return Choices(tuple(normal(text) for _, text in found), lettered=True)


def from_truths(truths: Iterable[str]) -> Choices:
    """The closed vocabulary of a kind of question: all that is true somewhere in it.

    Raises:
        ValueError: the truths are no `Choices`.
    """
    words = {normal(truth) for truth in truths}
    if words <= {""} or (len(words) == 1 and not words & set(YES_NO.texts)):
        raise ValueError(f"no options, and all questions of its kind have the truth {words}")
    if words <= set(YES_NO.texts):
        return YES_NO
    if all(len(word) == 1 and word.isascii() and word.isalpha() for word in words):
        # Letters of options that we cannot see: at least as many as the last one true anywhere.
        return Choices(tuple(ascii_lowercase[: ascii_lowercase.index(max(words)) + 1]), True)
    return Choices(tuple(sorted(words)))


def _unlettered(letter: str, text: str) -> str:
    plain = normal(text)
    match = re.match(rf"{letter}\s*[.):\]]\s*(\S.*)", plain)
    return normal(match[1]) if match else plain
