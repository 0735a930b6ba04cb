"""Questions about what is in view now. `moment.clear` must hold."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise
from typing import Final

from numpy.random import Generator

from worlds.questions.moment import GLANCE, Moment, Question, meant, noun, pick, worded
from worlds.things import Thing
from worlds.vocabulary import BOX, COLOURS, LAMP, OBJECTS, SHAPES, SIGN, STATEFUL, place
from worlds.wording import (
    NUMBERS,
    plural,
    say_heading,
    say_list,
    say_name,
    say_number,
    with_article,
)

_MARGIN: Final = 0.035  # picture widths between a place and the next
_STATES: Final = {BOX: ("open", "closed"), LAMP: ("on", "off")}


def colour(m: Moment, rng: Generator) -> Question | None:
    """What colour is this?"""
    seen = m.seen
    moving = [thing for thing in seen if _moves(m, thing)]
    if len(moving) == 1 and moving[0].look(m.t).colour and rng.random() < 0.2:
        return Question(
            "colour",
            worded("colour", rng, f"moving {noun(rng)}"),
            _is(moving[0].look(m.t).colour),
            (moving[0],),
        )
    nouns = Counter(thing.look(m.t).noun for thing in seen)
    single = [x for x in seen if x.look(m.t).colour and nouns[x.look(m.t).noun] == 1]
    if not single:
        return None
    thing = pick(rng, single)
    return Question(
        "colour", worded("colour", rng, thing.look(m.t).noun), _is(thing.look(m.t).colour), (thing,)
    )


def shape(m: Moment, rng: Generator) -> Question | None:
    """What is the red one?"""
    seen = m.seen
    colours = Counter(thing.look(m.t).colour for thing in seen)
    single = [x for x in seen if x.look(m.t).noun in SHAPES and colours[x.look(m.t).colour] == 1]
    if not single:
        return None
    thing = pick(rng, single)
    look = thing.look(m.t)
    words = f"{look.colour} {noun(rng)}"
    return Question(
        "shape", worded("shape", rng, words), f"It is {with_article(look.noun)}.", (thing,)
    )


def name(m: Moment, rng: Generator) -> Question | None:
    """What is at this place, or moves this way?"""
    seen = m.seen
    if rng.random() < 0.4:
        motions = Counter(thing.motion(m.t) for thing in seen)
        ways = [x for x in seen if _moves(m, x) and motions[x.motion(m.t)] == 1]
        moving = [thing for thing in seen if _moves(m, thing)]
        if len(moving) == 1 and rng.random() < 0.5:
            return Question(
                "name",
                worded("name", rng, "moving"),
                say_name(moving[0].look(m.t).name),
                (moving[0],),
            )
        ways = [
            thing for thing in ways if say_heading(thing.motion(m.t)).startswith("It is moving")
        ]
        if ways:
            thing = pick(rng, ways)
            answer = say_name(thing.look(m.t).name)
            return Question(
                "name", worded("name", rng, f"moving {thing.motion(m.t)}"), answer, (thing,)
            )
    placed = [thing for thing in seen if _placed(m, thing)]
    if len(placed) < len(seen):
        return None
    places = Counter(place(*thing.at(m.t)) for thing in seen)
    alone = [thing for thing in seen if places[place(*thing.at(m.t))] == 1]
    if not alone:
        return None
    thing = pick(rng, alone)
    words = f"at the {place(*thing.at(m.t))}"
    return Question("name", worded("name", rng, words), say_name(thing.look(m.t).name), (thing,))


def where(m: Moment, rng: Generator) -> Question | None:
    """Where is this?"""
    found = meant([thing for thing in m.seen if _placed(m, thing)], m.seen, m.t, rng)
    if found is None:
        return None
    return Question(
        "where",
        worded("where", rng, found[1]),
        f"It is at the {place(*found[0].at(m.t))}.",
        (found[0],),
    )


def count(m: Moment, rng: Generator) -> Question | None:
    """How many are there?"""
    seen, kind = m.seen, rng.random()
    looks = [thing.look(m.t) for thing in seen]
    if kind < 0.45:
        words, counted = plural(noun(rng)), seen
    elif kind < 0.63:
        words, counted = f"moving {plural(noun(rng))}", [x for x in seen if _moves(m, x)]
    elif kind < 0.82:
        chosen = _likely([look.colour for look in looks if look.colour], list(COLOURS), rng)
        words = f"{chosen} {plural(noun(rng))}"
        counted = [x for x in seen if x.look(m.t).colour == chosen]
    else:
        known = [look.noun for look in looks if look.noun not in OBJECTS]
        chosen = _likely(known, [*SHAPES, *STATEFUL], rng)
        words, counted = plural(chosen), [x for x in seen if x.look(m.t).noun == chosen]
    if len(counted) >= len(NUMBERS):
        return None
    return Question("count", worded("count", rng, words), say_number(len(counted)), tuple(counted))


def exist(m: Moment, rng: Generator) -> Question | None:
    """Is there one of these? A no is hard when half of it is there."""
    seen = m.seen
    wanted = bool(rng.random() < 0.5)
    for _ in range(20):
        text, found = _sought(m, seen, rng)
        if bool(found) == wanted:
            return Question("exist", text, "Yes." if found else "No.", tuple(found))
    return None


def direction(m: Moment, rng: Generator) -> Question | None:
    """Which way does this move?"""
    seen = [thing for thing in m.seen if _steady(m, thing)]
    moving = [thing for thing in seen if _moves(m, thing)]
    if len(moving) == 1 and len([x for x in m.seen if _moves(m, x)]) == 1 and rng.random() < 0.25:
        words = f"moving {noun(rng)}"
        return Question(
            "direction",
            worded("direction", rng, words),
            say_heading(moving[0].motion(m.t)),
            (moving[0],),
        )
    asked = moving if moving and rng.random() < 0.75 else seen
    found = meant(asked, m.seen, m.t, rng)
    if found is None:
        return None
    return Question(
        "direction",
        worded("direction", rng, found[1]),
        say_heading(found[0].motion(m.t)),
        (found[0],),
    )


def read(m: Moment, rng: Generator) -> Question | None:
    """What does the sign say?"""
    signs = [thing for thing in m.seen if thing.look(m.t).noun == SIGN]
    if len(signs) != 1:
        return None
    return Question(
        "read", worded("read", rng), f"It says {signs[0].look(m.t).state}.", (signs[0],)
    )


def state(m: Moment, rng: Generator) -> Question | None:
    """Is it open, is it on?"""
    nouns = Counter(thing.look(m.t).noun for thing in m.seen)
    single = [x for x in m.seen if x.look(m.t).noun in _STATES and nouns[x.look(m.t).noun] == 1]
    if not single:
        return None
    thing = pick(rng, single)
    look = thing.look(m.t)
    asked = str(rng.choice(_STATES[look.noun]))
    answer = "Yes." if look.state == asked else "No."
    return Question("state", worded("state", rng, look.noun, asked), answer, (thing,))


def describe(m: Moment, rng: Generator) -> Question | None:
    """What is there, from left to right?"""
    seen = sorted(m.seen, key=lambda thing: thing.at(m.t)[0])
    columns = [thing.at(m.t)[0] for thing in seen]
    if any(right - left < 0.06 for left, right in pairwise(columns)):
        return None
    return Question(
        "describe", worded("describe", rng), say_list([x.look(m.t).name for x in seen]), tuple(seen)
    )


def _is(word: str) -> str:
    return f"It is {word}."


def _moves(m: Moment, thing: Thing) -> bool:
    return thing.motion(m.t) != "still"


def _steady(m: Moment, thing: Thing) -> bool:
    """Whether it has moved as it does now for long enough to be seen."""
    start = m.t - 0.6
    return thing.exists(start) and thing.motion(start) == thing.motion(m.t)


def _placed(m: Moment, thing: Thing) -> bool:
    """Whether it is well inside one ninth of the picture through the last glance."""
    points = [thing.at(m.t), thing.at(m.t - GLANCE)]
    if any(abs(v - line) < _MARGIN for p in points for v in p for line in (1 / 3, 2 / 3)):
        return False
    return place(*points[0]) == place(*points[1])


def _likely(present: list[str], every: list[str], rng: Generator) -> str:
    words = present if present and rng.random() < 0.7 else every
    repeated = [word for word in present if present.count(word) > 1]
    if repeated and rng.random() < 0.5:
        words = repeated
    return words[int(rng.integers(len(words)))]


def _sought(m: Moment, seen: list[Thing], rng: Generator) -> tuple[str, list[Thing]]:
    """A question for something that may be there, and what is there of it."""
    looks = [thing.look(m.t) for thing in seen]
    kind = rng.random()
    if kind < 0.14:
        return worded("moving", rng), [thing for thing in seen if _moves(m, thing)]
    if kind < 0.4:
        near = [look.noun for look in looks if look.noun in OBJECTS]
        words = near if near and rng.random() < 0.5 else list(OBJECTS)
        chosen = str(rng.choice(words))
        return _exists(rng, chosen), [x for x in seen if x.look(m.t).noun == chosen]
    colours = [look.colour for look in looks if look.noun in SHAPES]
    shapes = [look.noun for look in looks if look.noun in SHAPES]
    red = str(rng.choice(colours if colours and rng.random() < 0.7 else list(COLOURS)))
    star = str(rng.choice(shapes if shapes and rng.random() < 0.7 else list(SHAPES)))
    if kind < 0.8:
        there = [x for x in seen if x.look(m.t).name == f"{red} {star}"]
        return _exists(rng, f"{red} {star}"), there
    if kind < 0.9:
        there = [x for x in seen if x.look(m.t).colour == red]
        return _exists(rng, f"{red} {noun(rng)}"), there
    return _exists(rng, star), [x for x in seen if x.look(m.t).noun == star]


def _exists(rng: Generator, words: str) -> str:
    return worded("exist", rng, with_article(words))
