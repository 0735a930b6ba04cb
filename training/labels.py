"""Labels of the throw-away heads that tell which words mean what."""

from __future__ import annotations

import re
from typing import Final

from worlds.things import INVERSE, Look
from worlds.vocabulary import COLOURS, HELPERS, OBJECTS, SHAPES, STATEFUL
from worlds.wording import plural

NOUNS: Final = (*SHAPES, *OBJECTS, *STATEFUL, *HELPERS)
KINDS: Final = tuple(INVERSE)
NOTHING: Final = (0, 0)
_COLOURS: Final = {colour: number for number, colour in enumerate(COLOURS, start=1)}
_NOUNS: Final = {noun: number for number, noun in enumerate(NOUNS, start=1)}
_PLURALS: Final = {plural(noun): number for noun, number in _NOUNS.items()}


def looks(look: Look) -> tuple[int, int]:
    """Colour and noun of a look, from 1; 0 is none."""
    return _COLOURS.get(look.colour, 0), _NOUNS[look.noun]


def kind(event: str) -> int:
    """Number of a kind of event, from 1; 0 is none."""
    return KINDS.index(event) + 1


def named(text: str) -> tuple[int, int]:
    """Colour and noun that a question names, from 1; 0 is none; of two the first."""
    words = re.findall(r"[a-z]+", text.lower())
    colours = [_COLOURS[word] for word in words if word in _COLOURS]
    nouns = [_NOUNS.get(word) or _PLURALS.get(word) for word in words]
    known = [number for number in nouns if number]
    return (colours or [0])[0], (known or [0])[0]
