"""Still things that change: colour, size, place, digits, open and shut, on and off."""

from __future__ import annotations

from typing import Final

from numpy.random import Generator

from worlds.stories.cast import CARDS, Cast
from worlds.stories.moving import stands
from worlds.things import Look, Thing, Track
from worlds.vocabulary import BOX, COLOURS, LAMP, SHAPES, SIGN, held_out

_BEFORE: Final = (2.0, 5.0)  # seconds before and after a change
_SIGN: Final = 0.14  # radius of a sign, at least: its digits can be read


def recolours(rng: Generator, now: float, cast: Cast) -> list[Thing] | None:
    """A shape that takes another colour."""
    look = cast.look(rng)
    others = [c for c in COLOURS if c != look.colour and not held_out(look.noun, c)]
    if look.noun not in SHAPES:
        return None
    colour = str(rng.choice(others))
    return _changes(rng, now, cast, look, Look(look.noun, colour), ("changed colour", colour))


def opens(rng: Generator, now: float, cast: Cast) -> list[Thing] | None:
    """A box that is opened or shut, or a lamp that is turned on or off."""
    noun, states = ((BOX, ("closed", "open")), (LAMP, ("off", "on")))[int(rng.integers(2))]
    kinds = {"open": "opened", "closed": "closed", "on": "turned on", "off": "turned off"}
    before, after = states if rng.random() < 0.5 else states[::-1]
    if rng.random() < 0.3:  # some only stand there
        track = Track.resting(*cast.spot(rng, 0.1))
        return [
            Thing(
                now, now + float(rng.uniform(*cast.stay)), track, ((now, Look(noun, "", before)),)
            )
        ]
    first, second = Look(noun, "", before), Look(noun, "", after)
    return _changes(rng, now, cast, first, second, (kinds[after], ""), 0.1)


def counts(rng: Generator, now: float, cast: Cast) -> list[Thing] | None:
    """A sign with a number on it; half of them change it."""
    colour, number = str(rng.choice(CARDS)), _number(rng)
    look = Look(SIGN, colour, number)
    if rng.random() < 0.5:
        x, y, radius = cast.spot(rng, _SIGN)
        track = Track.resting(x, y, max(radius, _SIGN))
        return [Thing(now, now + float(rng.uniform(3.0, 9.0)), track, ((now, look),))]
    other = _number(rng)
    after = Look(SIGN, colour, other if other != number else str((int(number) + 1) % 100))
    return _changes(rng, now, cast, look, after, ("changed number", after.state), _SIGN)


def resizes(rng: Generator, now: float, cast: Cast) -> list[Thing] | None:
    """A thing that grows or shrinks within a second."""
    look, (x, y, _) = cast.look(rng), cast.spot(rng)
    small, factor = float(rng.uniform(0.08, 0.1)), float(rng.uniform(1.6, 2.1))
    large = small * factor
    x, y = (min(max(v, large), 1 - large) for v in (x, y))
    t, gone = now + float(rng.uniform(*_BEFORE)), 0.0
    gone = t + 0.8 + float(rng.uniform(*_BEFORE))
    grows = bool(rng.random() < 0.5)
    sizes = (small, small, large, large) if grows else (large, large, small, small)
    track = Track((now, t, t + 0.8, gone), (x,) * 4, (y,) * 4, sizes, (0.0,) * 4)
    marks = ((t + 0.4, "grew" if grows else "shrank", ""),)
    return [Thing(now, gone, track, ((now, look),), marks=marks)]


def jumps(rng: Generator, now: float, cast: Cast) -> list[Thing] | None:
    """A thing that is in another place from one moment to the next."""
    look, (x, y, radius), (u, v, _) = cast.look(rng), cast.spot(rng), cast.spot(rng, 0.156)
    if abs(x - u) + abs(y - v) < 0.35:
        return None
    t = now + float(rng.uniform(*_BEFORE))
    gone = t + float(rng.uniform(*_BEFORE))
    track = Track((now, t, t + 1e-4, gone), (x, x, u, u), (y, y, v, v), (radius,) * 4, (0.0,) * 4)
    return [Thing(now, gone, track, ((now, look),), marks=((t, "jumped", ""),))]


def blinks(rng: Generator, now: float, cast: Cast) -> list[Thing] | None:
    """A thing that is there for about a second and no longer."""
    made = stands(rng, now, cast)
    if made is None:
        return None
    thing = made[0]
    return [Thing(now, now + float(rng.uniform(0.9, 1.5)), thing.track, thing.looks)]


def _changes(
    rng: Generator,
    now: float,
    cast: Cast,
    before: Look,
    after: Look,
    change: tuple[str, str],
    least: float = 0.0,
) -> list[Thing]:
    """A still thing that looks one way and then another."""
    t = now + float(rng.uniform(*_BEFORE))
    gone = t + float(rng.uniform(*_BEFORE))
    x, y, radius = cast.spot(rng, least)
    track = Track.resting(x, y, max(radius, least))
    looks = ((now, before), (t, after))
    return [Thing(now, gone, track, looks, marks=((t, *change),))]


def _number(rng: Generator) -> str:
    return str(rng.integers(10) if rng.random() < 0.4 else rng.integers(10, 100))
