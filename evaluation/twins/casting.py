"""Who is in a pair of the set: things with looks that are trained on, or that never are.

In a held-out pair every shape is in a colour, or the thing asked about is an object on a way, that
no training shows together; in a trained pair nothing is.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import Final

import numpy as np
from numpy.random import Generator

from worlds.stories.cast import Cast
from worlds.things import Look, Thing, Track
from worlds.vocabulary import held_out

_ANY: Final = Cast(objects=0.5, radius=(0.083, 0.13))
_TRIES: Final = 200
_SPOTS: Final = 12
_APART: Final = 1.05  # of both radii, between centres
_LIFE: Final = 2.0  # seconds that bystanders are there before and after


def unseen(look: Look, motions: Collection[str] = ()) -> bool:
    """Whether a thing that looks so and moves so is held out of training."""
    return any(held_out(look.noun, partner) for partner in (look.colour, *motions))


def cast_look(
    rng: Generator, held: bool, taken: Collection[str] = (), motions: Collection[str] = ()
) -> Look | None:
    """A shape or an object; None where no such one was found.

    Args:
        rng: draws.
        held: whether it is to be held out of training.
        taken: nouns that others have.
        motions: how it moves, in either member of the pair.
    """
    for _ in range(_TRIES):
        look = _ANY.look(rng)
        if look.noun not in taken and unseen(look, motions) == held:
            return look
    return None  # few shapes are held out: all may be taken


def recast(thing: Thing, look: Look) -> Thing:
    """The same thing with another look all its life."""
    return replace(thing, looks=((thing.looks[0][0], look),))


def bystander(
    rng: Generator, held: bool, others: Sequence[Thing], last: float, rank: int
) -> Thing | None:
    """A still thing that is there all the time and touches nothing; None where it found no place.

    Args:
        rng: draws.
        held: whether it is to be held out of training.
        others: all that is there already.
        last: time of the last frame.
        rank: its number among those that stand by; they keep their order of age when time turns.
    """
    taken = {thing.looks[0][1].noun for thing in others}
    look = cast_look(rng, held, taken)
    if look is None:
        return None
    more = _LIFE - rank / 8
    for _ in range(_SPOTS):
        track = Track.resting(*_ANY.spot(rng))
        mirrored = bool(rng.random() < 0.5)
        thing = Thing(-more, last + more, track, ((-more, look),), mirrored=mirrored)
        if clear_of(thing, others, last):
            return thing
    return None


def clear_of(thing: Thing, others: Sequence[Thing], last: float) -> bool:
    """Whether a thing touches none of the others from the first to the last frame."""
    for t in np.linspace(0, last, 9).tolist():
        x, y = thing.at(t)
        for other in others:
            u, v = other.at(t)
            reach = _APART * (thing.radius(t) + other.radius(t))
            if other.exists(t) and (x - u) ** 2 + (y - v) ** 2 < reach**2:
                return False
    return True
