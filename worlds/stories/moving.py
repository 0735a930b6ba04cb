"""Things that stand or move: still, straight, bouncing, circling, speeding, nearing, turning."""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from numpy.random import Generator

from worlds.stories.cast import Cast
from worlds.things import Thing, Track
from worlds.vocabulary import HEADINGS, SHAPES

_FINE: Final = 0.1  # seconds between the waypoints of a curved way


def stands(rng: Generator, now: float, cast: Cast) -> list[Thing] | None:
    """A still thing that is there and then is not."""
    gone = now + float(rng.uniform(*cast.stay))
    track, look = Track.resting(*cast.spot(rng)), cast.look(rng)
    return [Thing(now, gone, track, ((now, look),), mirrored=_mirrored(rng))]


def passes(rng: Generator, now: float, cast: Cast) -> list[Thing] | None:
    """A thing on a straight way centred on a spot of the picture.

    The spot is drawn before the heading, so where a thing is says nothing about where it goes.
    """
    look = cast.look(rng)
    x, y, radius = cast.spot(rng)
    heading = cast.heading(rng, look)
    speed, life = float(rng.uniform(*cast.speed)), float(rng.uniform(*cast.pass_by))
    dx, dy = _unit(heading)
    before = _span(x, y, -dx, -dy, life / 2, radius, speed)
    after = _span(x, y, dx, dy, life / 2, radius, speed)
    middle = now + before
    start, end = (
        (x - dx * speed * before, y - dy * speed * before),
        _ahead(x, y, dx, dy, speed * after),
    )
    return [
        Thing(
            now,
            middle + after,
            _straight((now, middle + after), start, end, radius),
            ((now, look),),
            ((now, heading),),
            mirrored=heading.endswith("right"),
        )
    ]


def bounces(rng: Generator, now: float, cast: Cast) -> list[Thing] | None:
    """A thing that crosses the picture and turns round at its edge, once or more."""
    look, (x, y, radius) = cast.look(rng), cast.spot(rng)
    heading = cast.heading(rng, look)
    speed, life = float(rng.uniform(*cast.speed)), float(rng.uniform(6.0, 12.0))
    dx, dy = _unit(heading)
    times, xs, ys, motions = [now], [x], [y], [(now, heading)]
    t = now
    while t < now + life:
        to_x = ((1 - radius - x) if dx > 0 else (x - radius)) / abs(dx * speed) if dx else math.inf
        to_y = ((1 - radius - y) if dy > 0 else (y - radius)) / abs(dy * speed) if dy else math.inf
        wait = max(0.05, min(to_x, to_y, now + life - t))
        t, x, y = t + wait, x + dx * speed * wait, y + dy * speed * wait
        times, xs, ys = [*times, t], [*xs, x], [*ys, y]
        dx, dy = (-dx if wait >= to_x - 1e-6 else dx), (-dy if wait >= to_y - 1e-6 else dy)
        motions.append((t, _name(dx, dy)))
    if not cast.may_go(look, *(motion for _, motion in motions)):
        return None
    n = len(times)
    track = Track(tuple(times), tuple(xs), tuple(ys), (radius,) * n, (0.0,) * n)
    return [Thing(now, now + life, track, ((now, look),), tuple(motions[:-1]))]


def circles(rng: Generator, now: float, cast: Cast) -> list[Thing] | None:
    """A thing that goes round in a circle."""
    look, (_, _, radius) = cast.look(rng), cast.spot(rng)
    wide = float(rng.uniform(0.12, 0.22))
    edge = radius + wide
    x, y = rng.uniform(edge, 1 - edge, 2)
    life, turn = float(rng.uniform(*cast.stay)), float(rng.uniform(2.5, 5.0))
    times = np.arange(now, now + life + _FINE, _FINE)
    angle = rng.uniform(0, 2 * np.pi) + rng.choice([-1, 1]) * 2 * np.pi * (times - now) / turn
    track = _sampled(times, x + wide * np.sin(angle), y - wide * np.cos(angle), radius)
    return [Thing(now, now + life, track, ((now, look),), ((now, "in a circle"),))]


def speeds_up(rng: Generator, now: float, cast: Cast) -> list[Thing] | None:
    """A thing that goes straight, ever faster or ever slower."""
    made = passes(rng, now, cast)
    if made is None:
        return None
    thing = made[0]
    start, end = thing.track.t[0], thing.track.t[-1]
    times = np.arange(start, end + _FINE, _FINE)
    share = np.clip((times - start) / (end - start), 0, 1)
    bent = share**2 * 0.6 + share * 0.4
    if rng.random() < 0.5:
        bent = 1 - bent[::-1]
    xs = thing.track.x[0] + (thing.track.x[-1] - thing.track.x[0]) * bent
    ys = thing.track.y[0] + (thing.track.y[-1] - thing.track.y[0]) * bent
    track = _sampled(times, xs, ys, thing.track.radius[0])
    return [
        Thing(thing.born, thing.gone, track, thing.looks, thing.motions, mirrored=thing.mirrored)
    ]


def nears(rng: Generator, now: float, cast: Cast) -> list[Thing] | None:
    """A thing that comes closer or goes away: it keeps its place and changes its size."""
    look, (x, y, radius) = cast.look(rng), cast.spot(rng)
    life, factor = float(rng.uniform(4.0, 8.0)), float(rng.uniform(1.7, 2.4))
    small, large = min(radius, 0.11), min(radius, 0.11) * factor
    x, y = (min(max(v, large), 1 - large) for v in (x, y))
    closer = bool(rng.random() < 0.5)
    sizes = (small, large) if closer else (large, small)
    track = Track((now, now + life), (x, x), (y, y), sizes, (0.0, 0.0))
    return [Thing(now, now + life, track, ((now, look),), ((now, "closer" if closer else "away"),))]


def turns(rng: Generator, now: float, cast: Cast) -> list[Thing] | None:
    """A thing that turns on the spot."""
    look, spot = cast.look(rng), cast.spot(rng)
    if look.noun in SHAPES:  # most shapes look the same, or like another, when turned
        return None
    life, speed = float(rng.uniform(*cast.stay)), float(rng.choice([-1, 1]) * rng.uniform(1.2, 2.2))
    x, y, radius = spot
    ends = (now, now + life)
    track = Track(ends, (x, x), (y, y), (radius, radius), (0.0, speed * life))
    return [Thing(now, now + life, track, ((now, look),), ((now, "around"),))]


def _unit(heading: str) -> tuple[float, float]:
    dx, dy = HEADINGS[heading]
    size = math.hypot(dx, dy)
    return dx / size, dy / size


def _name(dx: float, dy: float) -> str:
    signs = tuple((d > 0.1) - (d < -0.1) for d in (dx, dy))
    return next(name for name, way in HEADINGS.items() if way == signs)


def _ahead(x: float, y: float, dx: float, dy: float, way: float) -> tuple[float, float]:
    return x + dx * way, y + dy * way


def _span(
    x: float, y: float, dx: float, dy: float, wanted: float, radius: float, speed: float
) -> float:
    """Seconds on one side of the mid-point: as wanted while whole, else to just off the edge."""
    rooms = [((1 - v) if d > 0 else v) / abs(d) for v, d in ((x, dx), (y, dy)) if d]
    room = min(rooms)
    if wanted * speed < room - radius:
        return wanted
    slant = max(abs(dx), abs(dy))
    return (room + 1.1 * radius / slant) / speed


def _straight(
    times: tuple[float, float], start: tuple[float, float], end: tuple[float, float], radius: float
) -> Track:
    return Track(times, (start[0], end[0]), (start[1], end[1]), (radius, radius), (0.0, 0.0))


def _sampled(times: np.ndarray, xs: np.ndarray, ys: np.ndarray, radius: float) -> Track:
    n = len(times)
    return Track(
        tuple(times.tolist()), tuple(xs.tolist()), tuple(ys.tolist()), (radius,) * n, (0.0,) * n
    )


def _mirrored(rng: Generator) -> bool:
    return bool(rng.random() < 0.5)
