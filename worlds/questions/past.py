"""Questions about what happened in the remembered time."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise
from typing import Final

from numpy.random import Generator

from worlds.questions.moment import QUIET, Moment, Question, descriptions, pick, worded
from worlds.things import Event, Thing
from worlds.vocabulary import BOX, COLOURS, LAMP, OBJECTS, SHAPES, SIGN
from worlds.wording import NEVER, NUMBERS, say_fate, say_name, say_number, say_time

_APART: Final = 0.6  # seconds between two events whose order is asked for
_FATES: Final = (
    "picked up", "put down", "opened", "closed", "turned on", "turned off", "changed colour",
    "changed number", "grew", "shrank", "jumped", "collided", "covered", "uncovered",
    "appeared", "left",
)  # fmt: skip
WHEN: Final = {
    "appeared": ("did the {0} appear", "did the {0} come in"),
    "left": ("did the {0} leave", "did the {0} go away"),
    "picked up": ("did the hand take the {0}", "was the {0} taken"),
    "opened": ("was the {0} opened", "did the {0} open"),
    "closed": ("was the {0} closed", "did the {0} close"),
    "turned on": ("was the {0} turned on", "did the {0} go on"),
    "turned off": ("was the {0} turned off", "did the {0} go off"),
    "changed number": ("did the {0} change", "did the number change"),
    "jumped": ("did the {0} jump",),
}


def appeared(m: Moment, rng: Generator) -> Question | None:
    """What appeared last?"""
    came = m.past("appeared")
    if came is None:
        return None
    if not came:
        return Question("appeared", worded("appeared", rng), "Nothing new.")
    if len(came) > 1 and came[-1].t - came[-2].t < _APART:
        return None
    newest = came[-1]
    answer = say_name(newest.thing.look(newest.t).name)
    return Question("appeared", worded("appeared", rng), answer, (newest.thing,))


def order(m: Moment, rng: Generator) -> Question | None:
    """What appeared before or after this, or which of two came first?"""
    came = m.past("appeared")
    if came is None or len(came) < 2 or _close(came):
        return None
    names = [event.thing.look(event.t).name for event in came]
    if len(set(names)) < len(names):
        return None
    place = int(rng.integers(len(came) - 1))
    if rng.random() < 0.5:
        one, other = names[place], names[place + 1]
        if rng.random() < 0.5:
            text, answer = f"before the {other}", one
        else:
            text, answer = f"after the {one}", other
    else:
        two = rng.choice(len(came), 2, replace=False)
        last = bool(rng.random() < 0.5)
        text = f"{'last' if last else 'first'}, the {names[two[0]]} or the {names[two[1]]}"
        answer = names[max(two) if last else min(two)]
    thing = came[names.index(answer)].thing
    return Question("order", worded("order", rng, text), say_name(answer), (thing,))


def happened(m: Moment, rng: Generator) -> Question | None:
    """What happened to this?"""
    changes = m.past(*_FATES)
    if not changes:
        return None
    done = [event for event in changes if event.kind not in ("appeared", "left")]
    pool = done if done and rng.random() < 0.75 else changes
    event = pool[-1] if rng.random() < 0.5 else pool[int(rng.integers(len(pool)))]
    if _overtaken(event, changes):
        return None
    words = _words(m, event.thing, event.t, rng)
    if words is None or (event.kind == "changed colour" and " " in words):
        return None
    answer = say_fate(event.kind, event.detail)
    return Question("happened", worded("happened", rng, words), answer, (event.thing,))


def taken(m: Moment, rng: Generator) -> Question | None:
    """What did the hand take?"""
    took = m.past("picked up")
    if not took or len(took) > 1:
        return None
    answer = say_name(took[0].thing.look(took[0].t).name)
    return Question("taken", worded("taken", rng), answer, (took[0].thing,))


def when(m: Moment, rng: Generator) -> Question | None:
    """When did this happen?"""
    events = m.past(*WHEN)
    if not events:
        return None
    event = events[int(rng.integers(len(events)))]
    if sum(e.thing is event.thing and e.kind == event.kind for e in events) > 1:
        return None
    words = _words(m, event.thing, event.t, rng)
    if words is None:
        return None
    ways = WHEN[event.kind]
    asked = ways[int(rng.integers(len(ways)))].format(words)
    answer = say_time(m.shown(event.t))
    return Question("when", worded("when", rng, asked), answer, (event.thing,), m.shown(event.t))


def recall(m: Moment, rng: Generator) -> Question | None:
    """What did the sign say, what colour was the star, that are gone now?"""
    held = m.remembered()
    signs = [thing for thing in held if thing.looks[0][1].noun == SIGN]
    if signs and rng.random() < 0.7:
        newest = signs[-1]
        long = newest.leaves - max(newest.looks[-1][0], m.since) > 2 * QUIET
        if newest.leaves > m.t - QUIET or not long or _doubtful(m, signs):
            return None
        answer = f"It said {newest.looks[-1][1].state}."
        return Question("recall", worded("recall", rng), answer, (newest,))
    gone = [x for x in held if x.leaves < m.t - QUIET and len(x.looks) == 1]
    nouns = Counter(thing.look(thing.leaves).noun for thing in held)
    gone = [x for x in gone if x.looks[0][1].noun in SHAPES and nouns[x.looks[0][1].noun] == 1]
    gone = [x for x in gone if x.leaves - max(x.appears, m.since) > 2 * QUIET]
    if not gone:
        return None
    look = (thing := pick(rng, gone)).looks[0][1]
    text = worded("recall colour", rng, look.noun)
    return Question("recall", text, f"It was {look.colour}.", (thing,))


def total(m: Moment, rng: Generator) -> Question | None:
    """How many came in so far?"""
    came = m.past("appeared")
    if came is None or len(came) >= len(NUMBERS):
        return None
    return Question("total", worded("total", rng), say_number(len(came)))


def unseen(m: Moment, rng: Generator) -> Question | None:
    """Something about a thing that was never there."""
    held = m.remembered()
    looks = [look for thing in held for _, look in thing.looks]
    kind = ("colour", "where", "direction", "when", "state")[int(rng.integers(5))]
    if kind == "state":
        words = (BOX, "open") if rng.random() < 0.5 else (LAMP, "on")
        if any(look.noun == words[0] for look in looks):
            return None
        return Question("unseen", worded("state", rng, *words), NEVER)
    pool = list(SHAPES) if kind == "colour" or rng.random() < 0.5 else list(OBJECTS)
    chosen = str(rng.choice(pool))
    if any(look.noun == chosen for look in looks):
        return None
    if chosen in SHAPES and kind != "colour" and rng.random() < 0.5:
        chosen = f"{rng.choice(list(COLOURS))} {chosen}"
    if kind == "when":
        chosen = WHEN["appeared"][int(rng.integers(2))].format(chosen)
    return Question("unseen", worded(kind, rng, chosen), NEVER)


def _overtaken(event: Event, events: list[Event]) -> bool:
    """Whether something else happened to the same thing that an answer would rather tell.

    What is taken away leaves with the hand: then it was taken.
    """
    own = [e for e in events if e.thing is event.thing and e is not event]
    if event.kind in ("appeared", "left"):
        return any(e.kind not in ("appeared", "left") or e.t > event.t for e in own)
    return any(e.t > event.t and not (e.kind == "left" and event.kind == "picked up") for e in own)


def _close(events: list[Event]) -> bool:
    return any(b.t - a.t < _APART for a, b in pairwise(events))


def _doubtful(m: Moment, signs: list[Thing]) -> bool:
    """Whether two signs were there at a time, or one came as another went."""
    return any(b.appears < a.leaves + QUIET for a, b in pairwise(signs))


def _words(m: Moment, thing: Thing, t: float, rng: Generator) -> str | None:
    """Words that mean this thing among all that is remembered."""
    ways = descriptions(thing, m.remembered(), t, rng)
    return ways[int(rng.integers(len(ways)))] if ways else None
