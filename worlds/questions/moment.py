"""The moment that is asked about, and what can be said of it without doubt."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

from numpy.random import Generator

from worlds.things import Event, Thing
from worlds.vocabulary import SHAPES, SIGN
from worlds.wording import GENERIC, QUESTIONS

QUIET: Final = 0.75  # seconds around a moment in which nothing may come or go
EDGE: Final = 0.5  # radii between "in view" and "not"
COVERED: Final = 0.6  # of both radii; nearer centres hide one another
GLANCE: Final = 0.3  # seconds the last temporal step looks back


class Stage(Protocol):
    """Anything with things and a log: a world, a stretch of one, its mirror image."""

    def things(self, t: float) -> list[Thing]:
        """What exists at time `t`."""

    def seen(self, t: float) -> list[Thing]:
        """What is in view at time `t`, without hands and covers."""

    def events(self, start: float, end: float) -> list[Event]:
        """What happened in [start, end), in order."""


def unchanged(t: float) -> float:
    """A clock that shows stage time."""
    return t


@dataclass(frozen=True, slots=True)
class Question:
    """One question and its only right answer."""

    task: str
    text: str
    answer: str
    about: tuple[Thing, ...] = ()  # what must be looked at to answer
    at: float | None = None  # seconds; the true time, for questions that ask when


@dataclass(frozen=True, slots=True)
class Moment:
    """Where a watcher stands when it is asked."""

    stage: Stage
    t: float  # seconds, the newest frame
    since: float  # seconds, the oldest frame remembered
    step: float = 0.5  # seconds that the newest temporal step is long
    shown: Callable[[float], float] = field(default=unchanged)
    """What the clock showed at the temporal step in which a time fell, seconds."""

    @property
    def seen(self) -> list[Thing]:
        """What is in view now, oldest first."""
        return self.stage.seen(self.t)

    def remembered(self) -> list[Thing]:
        """Everything that was in view at some time since `since`, oldest first."""
        found: dict[tuple[float, str], Thing] = {}
        t = self.since
        while t < self.t:
            found.update({(x.born, x.looks[0][1].name): x for x in self.stage.seen(t)})
            t += 0.25
        found.update({(x.born, x.looks[0][1].name): x for x in self.seen})
        return sorted(found.values(), key=lambda thing: thing.born)

    def past(self, *kinds: str) -> list[Event] | None:
        """Events of these kinds in the remembered time; None where the edges leave a doubt."""
        lately = self.stage.events(max(0.0, self.since - QUIET), self.t + 0.1)
        chosen = [event for event in lately if event.kind in kinds]
        if any(e.t < self.since + QUIET or e.t > self.t - QUIET for e in chosen):
            return None
        return chosen


def clear(stage: Stage, t: float) -> bool:
    """Whether the picture about time `t` leaves no doubt about what is in view."""
    if stage.events(max(0.0, t - QUIET), t + 0.1):
        return False
    things = stage.things(t)
    if any(thing.helper for thing in things):
        return False
    for moment in (t - GLANCE, t):
        if any(abs(thing.depth(moment)) < EDGE for thing in things):
            return False
        for n, one in enumerate(things):
            if any(_hides(one, other, moment) for other in things[:n]):
                return False
    return True


def _hides(one: Thing, other: Thing, t: float) -> bool:
    (x, y), (u, v) = one.at(t), other.at(t)
    return (x - u) ** 2 + (y - v) ** 2 < (COVERED * (one.radius(t) + other.radius(t))) ** 2


def worded(kind: str, rng: Generator, *words: str) -> str:
    """A question of a kind of `worlds.wording.QUESTIONS`, as people type it.

    They do not always type capitals and question marks.
    """
    templates = QUESTIONS[kind]
    text = templates[int(rng.integers(len(templates)))].format(*words)
    if rng.random() < 0.2:
        text = text.lower()
    return text[:-1] if rng.random() < 0.2 else text


def pick(rng: Generator, items: Sequence[Thing]) -> Thing:
    """One of them."""
    return items[int(rng.integers(len(items)))]


def noun(rng: Generator) -> str:
    """A word for anything."""
    return GENERIC[int(rng.integers(len(GENERIC)))]


def coloured(thing: Thing, t: float) -> bool:
    """Whether it has a colour that can be named."""
    return bool(thing.look(t).colour)


def descriptions(thing: Thing, among: Sequence[Thing], t: float, rng: Generator) -> list[str]:
    """Ways to mean this thing and no other of `among`."""
    look, looks = thing.look(t), [other.look(min(t, other.gone)) for other in among]
    ways = []
    if sum(other.noun == look.noun for other in looks) == 1:
        ways.append(look.noun)
    if look.noun in SHAPES:
        if sum(other.colour == look.colour for other in looks) == 1:
            ways.append(f"{look.colour} {noun(rng)}")
        if sum((other.noun, other.colour) == (look.noun, look.colour) for other in looks) == 1:
            ways.append(look.name)
    if look.noun == SIGN and sum(other.colour == look.colour for other in looks) == 1:
        ways.append(f"{look.colour} sign")
    return ways


def meant(
    things: Sequence[Thing], among: Sequence[Thing], t: float, rng: Generator
) -> tuple[Thing, str] | None:
    """One of `things` and words that mean it among `among`; None where there are none."""
    if not things:
        return None
    thing = pick(rng, things)
    ways = descriptions(thing, among, t, rng)
    return (thing, ways[int(rng.integers(len(ways)))]) if ways else None
