"""Stretches of worlds and their counterfactual twins, made on the scene graph, never on pixels.

A twin shows the same things before the same scenery, seen in a mirror, or in the other order of
time, or with its halves exchanged. Its frames come at the same, rising times; its log follows from
its own things. Noise and compression come last and are those of the frame's own time, so no
artefact tells a twin from what it was made of.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Final, TypeVar

import numpy as np
from numpy.typing import NDArray

from worlds.backdrop import Backdrop, TurnedScenery
from worlds.painter import Painter
from worlds.things import INVERSE, Event, Thing, Track
from worlds.vocabulary import HEADINGS, SIGN
from worlds.world import World

_GRAIN: Final = 2.0**-20  # numbers are whole multiples, so that turning twice is exact
_GLANCES: Final = 0.25  # seconds between the looks that find what exists in a stretch

Value = TypeVar("Value")


def exact(value: float) -> float:
    """The nearest number that mirrors and turns without rounding."""
    return round(value / _GRAIN) * _GRAIN


def _names(signs: tuple[int, int]) -> dict[str, str]:
    ways = {way: name for name, way in HEADINGS.items()}
    return {name: ways[x * signs[0], y * signs[1]] for name, (x, y) in HEADINGS.items()}


MIRRORED: Final = _names((-1, 1))  # headings in a mirror; other motions are the same there
OPPOSITE: Final = {**_names((-1, -1)), "closer": "away", "away": "closer"}  # in the other order


@dataclass(frozen=True)
class Stretch:
    """A finite piece of a world with a clock of its own; a stage that questions can be asked about.

    Not safe for use by two threads at once: its painter keeps one noise tile.

    Args:
        cast: all that exists in it, in drawing order.
        last: time of the last frame, seconds; the first frame is at 0.
        backdrop: what is behind.
    """

    cast: tuple[Thing, ...]
    last: float
    backdrop: Backdrop

    @cached_property
    def painter(self) -> Painter:
        """Draws it."""
        return Painter(TurnedScenery(self.backdrop))

    def frame(self, t: float, size: tuple[int, int] = (384, 384)) -> NDArray[np.uint8]:
        """The picture at time `t`: RGB, uint8 [h, w, 3]."""
        return self.painter.paint([thing for thing in self.cast if thing.exists(t)], t, size)

    def things(self, t: float) -> list[Thing]:
        """What exists at time `t`, oldest first."""
        found = [thing for thing in self.cast if thing.exists(t)]
        return sorted(found, key=lambda thing: thing.born)

    def seen(self, t: float) -> list[Thing]:
        """What is in view at time `t`, oldest first, without hands and covers."""
        return [thing for thing in self.things(t) if thing.seen(t) and not thing.helper]

    def events(self, start: float, end: float) -> list[Event]:
        """What happened in [start, end), in order."""
        found = [event for thing in self.cast for event in thing.events if start <= event.t < end]
        return sorted(found, key=lambda event: event.t)


def stretch(things: Sequence[Thing], start: float, last: float, backdrop: Backdrop) -> Stretch:
    """The piece of a story from `start` to `start + last` seconds.

    Args:
        things: with times of the story; those that do not exist in the piece are left out.
        start: what the stretch calls 0.
        last: time of the last frame after that.
        backdrop: what is behind, with the origin that it has at `start`.
    """
    found = [thing for thing in things if thing.born <= start + last and thing.gone > start]
    return Stretch(tuple(_settled(thing, start) for thing in found), exact(last), backdrop)


def cut(world: World, start: float, last: float) -> Stretch:
    """A piece of an endless world.

    Args:
        world: which.
        start: world time of the first frame, seconds.
        last: time of the last frame after the first.
    """
    moments = np.arange(start, start + last, _GLANCES).tolist()
    found = {thing: None for t in (*moments, start + last) for thing in world.things(t)}
    things = sorted(found, key=lambda thing: thing.born)
    return stretch(things, start, last, Backdrop(world.seed, world.mood.scenery, exact(start)))


def flipped(shown: Stretch) -> Stretch:
    """The stretch in a mirror.

    Raises:
        ValueError: it holds a sign, whose digits a mirror would make unreadable.
    """
    if any(thing.looks[0][1].noun == SIGN for thing in shown.cast):
        raise ValueError("digits cannot be read in a mirror: a stretch with a sign is not flipped")
    backdrop = replace(shown.backdrop, mirrored=not shown.backdrop.mirrored)
    return replace(shown, cast=tuple(map(_mirror, shown.cast)), backdrop=backdrop)


def backwards(shown: Stretch) -> Stretch:
    """The stretch in the other order of time: its last frame first, all that happens undone."""
    behind = shown.backdrop
    turned = replace(behind, origin=behind.own(shown.last), backwards=not behind.backwards)
    cast = tuple(_turn(thing, shown.last) for thing in shown.cast)
    return replace(shown, cast=cast, backdrop=turned)


def both(shown: Stretch) -> Stretch:
    """The stretch in a mirror and in the other order of time.

    Raises:
        ValueError: as `flipped`.
    """
    return backwards(flipped(shown))


def swapped(first: Stretch, second: Stretch, gap: float) -> tuple[Stretch, Stretch]:
    """Two stretches joined in both orders, before the scenery of the first of them.

    Args:
        first: nothing in it outlives it.
        second: likewise.
        gap: seconds from the last frame of one to the first frame of the next.

    Returns:
        first and then second; second and then first.

    Raises:
        ValueError: something exists before its stretch begins or after it ends.
    """
    for half in (first, second):
        if any(thing.born < 0 or thing.gone > half.last + gap for thing in half.cast):
            raise ValueError("what is joined begins and ends within its half")
    return _joined(first, second, gap, first.backdrop), _joined(second, first, gap, first.backdrop)


TWINS: Final[dict[str, Callable[[Stretch], Stretch]]] = {
    "flip": flipped,
    "reversal": backwards,
    "both": both,
}


def _joined(one: Stretch, other: Stretch, gap: float, backdrop: Backdrop) -> Stretch:
    later = exact(one.last + gap)
    cast = (*one.cast, *(_settled(thing, -later) for thing in other.cast))
    return Stretch(cast, later + other.last, backdrop)


def _settled(thing: Thing, start: float) -> Thing:
    """A thing by a clock that shows 0 at `start`, in exact numbers; its colours stay."""

    def clock(t: float) -> float:
        return exact(t - start)

    born, way = clock(thing.born), thing.track
    return replace(
        thing,
        born=born,
        gone=clock(thing.gone),
        track=Track(
            tuple(map(clock, way.t)),
            *(tuple(map(exact, row)) for row in (way.x, way.y, way.radius, way.angle)),
        ),
        looks=_begun(thing.looks, born, clock),
        motions=_begun(thing.motions, born, clock),
        marks=tuple((clock(t), kind, detail) for t, kind, detail in thing.marks),
        shade=thing.born if thing.shade is None else thing.shade,
    )


def _begun(
    spans: tuple[tuple[float, Value], ...], born: float, clock: Callable[[float], float]
) -> tuple[tuple[float, Value], ...]:
    """Spans by another clock; the first begins with the thing."""
    return ((born, spans[0][1]), *((clock(t), value) for t, value in spans[1:]))


def _mirror(thing: Thing) -> Thing:
    way = thing.track
    return replace(
        thing,
        track=replace(way, x=tuple(1 - x for x in way.x), angle=tuple(0.0 - a for a in way.angle)),
        motions=tuple((t, MIRRORED.get(motion, motion)) for t, motion in thing.motions),
        mirrored=not thing.mirrored,
    )


def _turn(thing: Thing, last: float) -> Thing:
    # What holds from a moment on holds up to it when time turns, that moment left out: the least
    # step later it is the moment's own frame that decides, as it did before.
    way, after = thing.track, last + _GRAIN
    motions = [(t, OPPOSITE.get(motion, motion)) for t, motion in thing.motions]
    return replace(
        thing,
        born=after - thing.gone,
        gone=after - thing.born,
        track=Track(
            tuple(last - t for t in way.t[::-1]),
            *(row[::-1] for row in (way.x, way.y, way.radius, way.angle)),
        ),
        looks=_spans_back(thing.looks, thing.gone, after),
        motions=_spans_back(tuple(motions), thing.gone, after),
        marks=tuple(
            (after - t, INVERSE[kind], _undone(thing, t, kind, detail))
            for t, kind, detail in thing.marks[::-1]
        ),
    )


def _spans_back(
    spans: tuple[tuple[float, Value], ...], gone: float, after: float
) -> tuple[tuple[float, Value], ...]:
    """Values from when on, in the other order: each begins where it ended."""
    ends = [*(t for t, _ in spans[1:]), gone]
    return tuple((after - t, value) for t, (_, value) in zip(ends[::-1], spans[::-1], strict=True))


def _undone(thing: Thing, t: float, kind: str, detail: str) -> str:
    """What a thing becomes where a change at `t` is undone: what it was before."""
    if kind not in ("changed colour", "changed number"):
        return detail
    before = thing.looks[max(0, bisect_left(thing.looks, t, key=lambda one: one[0]) - 1)][1]
    return before.colour if kind == "changed colour" else before.state
