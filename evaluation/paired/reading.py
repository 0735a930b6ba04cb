"""What a reply says: the choice it names, or nothing that can be read.

`strict` is ours and takes no guess. `timeblind_official` reads as the scorer of TimeBlind
(github.com/Baiqi-Li/TimeBlind) does, quirks included, so that figures can be put beside published
ones. Both look at the reply and the choices only, never at the truth: so the same reply to the same
question is read alike for both members of a pair, and a fixed answer cannot be right on both.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from typing import Final

from evaluation.paired.choices import YES_NO, Choices, normal

Reader = Callable[[str, Choices], str | None]

_TAGGED: Final = re.compile(r"<answer>(.*?)</answer>", re.IGNORECASE | re.DOTALL)
_CLAIM: Final = re.compile(r"\banswer\b[*`_\s]*(?::|\bis\b:?)\s*(.*)", re.IGNORECASE)
_LEAD: Final = re.compile(r"^(?:option|choice)\b\s*:?\s*")
_NEGATION: Final = re.compile(r"\b(?:not|no|never|neither|nor|without|cannot)\b|n['\u2019]t\b")


def strict(reply: str, choices: Choices) -> str | None:
    """The one choice that the reply names.

    What stands in `<answer>` tags, or else behind "answer:" or "answer is", is taken instead of
    the whole reply. It must be a letter, a text, a letter with its own text, a sentence that
    starts with yes or no and says not the other, or one that mentions the text of exactly one
    choice and denies nothing.

    Returns:
        a text of `choices`; None where nothing or more than one thing is named.
    """
    reply = unicodedata.normalize("NFKC", reply)
    claims = _TAGGED.findall(reply) or _CLAIM.findall(reply) or [reply]
    found = {_claimed(_LEAD.sub("", normal(claim)), choices) for claim in claims}
    return found.pop() if len(found) == 1 else None


def _claimed(text: str, choices: Choices) -> str | None:
    named = choices.named(text)
    if named is not None:
        return named
    if choices == YES_NO:
        return _started(text)
    mentioned = _mentioned(text, choices)
    return None if _belied(text, mentioned, choices) else mentioned


def _started(text: str) -> str | None:
    words = re.findall(r"\w+", text)
    start = words[0] if words else ""
    if start not in YES_NO.texts:
        return None
    return start if not (set(YES_NO.texts) - {start}) & set(words) else None


def _mentioned(text: str, choices: Choices) -> str | None:
    found = set()
    # The longest first and taken out, so that "up left" is no mention of "left".
    for choice in sorted(choices.texts, key=len, reverse=True):
        if len(choice) > 1:  # "a" is a word
            text, times = re.subn(rf"(?<!\w){re.escape(choice)}(?!\w)", "|", text)
            found |= {choice} if times else set()
    return found.pop() if len(found) == 1 and not _NEGATION.search(text) else None


def _belied(text: str, choice: str | None, choices: Choices) -> bool:
    """Whether the text starts with the marked letter of another choice, as "A. right" may."""
    marked = re.match(r"([a-z])[.):]", text) if choices.lettered else None
    return marked is not None and choices.named(marked[1]) != choice


_LABEL: Final = r"(?:final(?: answer)?|answer|prediction)\s*:\s*"
_OFFICIAL_YES_NO: Final = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (_LABEL + r"(yes|no)\b", r"\b(yes|no)(?=[\s.,!?)]|$)")
)
_OFFICIAL_LETTER: Final = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        _LABEL + r"([ab])\b",
        r"(?:option|choice)\s*:?\s*([ab])\b",
        r"[\[({]\s*([ab])\s*[\])}]",
        r"\b([ab])\s*[.)](?=\w)",
        r"(?<![a-z0-9/])([ab])(?![a-z0-9/])",
    )
)


def timeblind_official(reply: str, choices: Choices) -> str | None:
    """The choice that TimeBlind's own scorer reads.

    Quirks kept: the first mention wins, so "Yes or no? No" is yes; a lone "a" is option A even
    where it is an article, so "It is a bird, so B" is A; the texts of options are not looked at.

    Args:
        reply: of the model.
        choices: yes and no, or two lettered options.
    """
    text = " ".join(unicodedata.normalize("NFKC", reply).split())
    for pattern in _OFFICIAL_YES_NO if choices == YES_NO else _OFFICIAL_LETTER:
        match = pattern.search(text)
        if match:
            said = match[1].lower()
            return said if choices == YES_NO else choices.texts["ab".index(said)]
    return None
