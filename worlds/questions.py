"""True questions about a moment of a world, with answers that follow from its script.

A question is made only where its answer is beyond doubt: nothing is coming, going or hidden at the
moment asked about, the thing meant is the only one of its kind, and places keep off the lines
between the ninths of the picture.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from numpy.random import Generator

from worlds.script import Thing
from worlds.vocabulary import COLOURS, SHAPES, place
from worlds.wording import (
    GENERIC,
    QUESTIONS,
    plural,
    say_heading,
    say_list,
    say_number,
    with_article,
)
from worlds.world import World

QUIET: Final = 0.75  # seconds around a moment in which nothing may come or go
_MARGIN: Final = 0.035  # picture widths between a place and the next
_EDGE: Final = 0.5  # radii between "in view" and "not"
_COVERED: Final = 0.6  # of both radii; nearer centres hide one another
_GLANCE: Final = 0.3  # seconds the last temporal step looks back


@dataclass(frozen=True, slots=True)
class Question:
    """One question and its only right answer."""

    task: str
    text: str
    answer: str


def clear(world: World, t: float) -> bool:
    """Whether the picture about time `t` leaves no doubt about what is in view."""
    if world.events(max(0.0, t - QUIET), t + 0.1):
        return False
    things = world.things(t)
    for moment in (t - _GLANCE, t):
        if any(abs(thing.depth(moment)) < _EDGE for thing in things):
            return False
        for n, one in enumerate(things):
            for other in things[:n]:
                (x, y), (u, v) = one.at(moment), other.at(moment)
                if (x - u) ** 2 + (y - v) ** 2 < (_COVERED * (one.radius + other.radius)) ** 2:
                    return False
    return True


def ask(world: World, t: float, since: float, task: str, rng: Generator) -> Question | None:
    """One question of a kind about time `t`, or None where no such question has a sure answer.

    Args:
        world: the scene.
        t: seconds; the newest thing remembered. `clear(world, t)` must hold.
        since: seconds; the oldest thing remembered.
        task: one of `worlds.wording.TASKS`.
        rng: chooses the thing asked about and the words.
    """
    made = _MAKERS[task](world, t, since, rng)
    if made is None:
        return None
    meant, answer = made
    templates = QUESTIONS[task]
    text = templates[int(rng.integers(len(templates)))].format(it=meant, them=meant, a=meant)
    return Question(task, _as_typed(text, rng), answer)


def last_appeared(world: World, t: float, since: float) -> tuple[bool, Thing | None]:
    """What came into view last in the remembered time.

    Returns:
        whether that is beyond doubt, and the thing, None if nothing came.
    """
    came = [e for e in world.events(max(0.0, since - QUIET), t) if e.kind == "appeared"]
    if not came:
        return True, None
    newest = came[-1]
    sure = newest.t > since + QUIET and (len(came) < 2 or newest.t - came[-2].t > 0.6)
    return sure and newest.t < t - QUIET, newest.thing


def _as_typed(text: str, rng: Generator) -> str:
    """People do not always type capitals and question marks."""
    if rng.random() < 0.2:
        text = text.lower()
    return text[:-1] if rng.random() < 0.2 else text


_Made = tuple[str, str] | None  # what is meant, and the answer


def _pick(rng: Generator, items: list[Thing]) -> Thing:
    return items[int(rng.integers(len(items)))]


def _noun(rng: Generator) -> str:
    return GENERIC[int(rng.integers(len(GENERIC)))]


def _descriptions(thing: Thing, seen: list[Thing], rng: Generator) -> list[str]:
    """Ways to mean this thing and no other."""
    ways = []
    if sum(other.shape == thing.shape for other in seen) == 1:
        ways.append(thing.shape)
    if sum(other.colour == thing.colour for other in seen) == 1:
        ways.append(f"{thing.colour} {_noun(rng)}")
    if sum(other.name == thing.name for other in seen) == 1:
        ways.append(thing.name)
    return ways


def _meant(things: list[Thing], seen: list[Thing], rng: Generator) -> tuple[Thing, str] | None:
    if not things:
        return None
    thing = _pick(rng, things)
    ways = _descriptions(thing, seen, rng)
    return (thing, ways[int(rng.integers(len(ways)))]) if ways else None


def _colour(world: World, t: float, since: float, rng: Generator) -> _Made:
    seen = world.seen(t)
    shapes = Counter(thing.shape for thing in seen)
    single = [thing for thing in seen if shapes[thing.shape] == 1]
    if not single:
        return None
    thing = _pick(rng, single)
    return thing.shape, f"It is {thing.colour}."


def _shape(world: World, t: float, since: float, rng: Generator) -> _Made:
    seen = world.seen(t)
    colours = Counter(thing.colour for thing in seen)
    single = [thing for thing in seen if colours[thing.colour] == 1]
    if not single:
        return None
    thing = _pick(rng, single)
    return f"{thing.colour} {_noun(rng)}", f"It is {with_article(thing.shape)}."


def _where(world: World, t: float, since: float, rng: Generator) -> _Made:
    seen = world.seen(t)
    found = _meant([thing for thing in seen if _placed(thing, t)], seen, rng)
    return found and (found[1], f"It is at the {place(*found[0].at(t))}.")


def _placed(thing: Thing, t: float) -> bool:
    """Whether it is well inside one ninth of the picture through the last glance."""
    points = [thing.at(t), thing.at(t - _GLANCE)]
    if any(abs(v - line) < _MARGIN for p in points for v in p for line in (1 / 3, 2 / 3)):
        return False
    return place(*points[0]) == place(*points[1])


def _count(world: World, t: float, since: float, rng: Generator) -> _Made:
    seen = world.seen(t)
    kind = rng.random()
    if kind < 0.55:
        return plural(_noun(rng)), say_number(len(seen))
    if kind < 0.8:
        colour = _present_or_any([thing.colour for thing in seen], list(COLOURS), rng)
        number = sum(thing.colour == colour for thing in seen)
        return f"{colour} {plural(_noun(rng))}", say_number(number)
    shape = _present_or_any([thing.shape for thing in seen], list(SHAPES), rng)
    return plural(shape), say_number(sum(thing.shape == shape for thing in seen))


def _present_or_any(present: list[str], every: list[str], rng: Generator) -> str:
    words = present if present and rng.random() < 0.7 else every
    repeated = [word for word in present if present.count(word) > 1]
    if repeated and rng.random() < 0.5:
        words = repeated
    return words[int(rng.integers(len(words)))]


def _exist(world: World, t: float, since: float, rng: Generator) -> _Made:
    seen = world.seen(t)
    wanted = bool(rng.random() < 0.5)
    for _ in range(20):
        near = seen and rng.random() < 0.7  # a no is hard when half of it is there
        colour = _pick(rng, seen).colour if near else str(rng.choice(list(COLOURS)))
        near = seen and rng.random() < 0.7
        shape = _pick(rng, seen).shape if near else str(rng.choice(list(SHAPES)))
        kind = rng.random()
        if kind < 0.7:
            words, true = f"{colour} {shape}", any(x.name == f"{colour} {shape}" for x in seen)
        elif kind < 0.85:
            words, true = f"{colour} {_noun(rng)}", any(x.colour == colour for x in seen)
        else:
            words, true = shape, any(x.shape == shape for x in seen)
        if true == wanted:
            return with_article(words), "Yes." if true else "No."
    return None


def _direction(world: World, t: float, since: float, rng: Generator) -> _Made:
    seen = [thing for thing in world.seen(t) if thing.exists(t - 0.6)]
    moving = [thing for thing in seen if thing.heading != "still"]
    asked = moving if moving and rng.random() < 0.75 else seen
    found = _meant(asked, world.seen(t), rng)
    return found and (found[1], say_heading(found[0].heading))


def _appeared(world: World, t: float, since: float, rng: Generator) -> _Made:
    sure, thing = last_appeared(world, t, since)
    if not sure:
        return None
    if thing is None:
        return "", "Nothing new."
    return "", f"{with_article(thing.name).capitalize()}."


def _describe(world: World, t: float, since: float, rng: Generator) -> _Made:
    seen = sorted(world.seen(t), key=lambda thing: thing.at(t)[0])
    columns = [thing.at(t)[0] for thing in seen]
    if any(right - left < 0.06 for left, right in pairwise(columns)):
        return None
    return "", say_list([thing.name for thing in seen])


_MAKERS: Final[dict[str, Callable[[World, float, float, Generator], _Made]]] = {
    "colour": _colour,
    "shape": _shape,
    "where": _where,
    "count": _count,
    "exist": _exist,
    "direction": _direction,
    "appeared": _appeared,
    "describe": _describe,
}
