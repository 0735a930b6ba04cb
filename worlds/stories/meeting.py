"""Things that meet: a hand that takes or moves one, a cover over one, two that collide."""

from __future__ import annotations

from numpy.random import Generator

from worlds.stories.cast import Cast
from worlds.stories.moving import stands
from worlds.things import Look, Thing, Track
from worlds.vocabulary import COVER, HAND

_HAND = 0.115  # radius of the hand
_GRIP = (0.05, -0.05)  # from the centre of what it holds


def takes(rng: Generator, now: float, cast: Cast) -> list[Thing] | None:
    """A hand comes for a thing and carries it out of the picture, or to another place."""
    look, (x, y, radius) = cast.look(rng), cast.spot(rng)
    away = bool(rng.random() < 0.6)
    comes = now + float(rng.uniform(2.0, 5.0))
    grips = comes + float(rng.uniform(0.8, 1.2))
    edge = _edge(rng, x, y)
    u, v = edge if away else cast.spot(rng, 0.156)[:2]
    if not away and abs(x - u) + abs(y - v) < 0.3:
        return None
    lets = grips + float(rng.uniform(1.0, 1.6))
    gone = lets if away else lets + float(rng.uniform(3.0, 6.0))
    n = 4
    track = Track(
        (now, grips, lets, gone + 1e-3), (x, x, u, u), (y, y, v, v), (radius,) * n, (0.0,) * n
    )
    marks = [(grips, "picked up", "")] + ([] if away else [(lets, "put down", "")])
    motions = ((now, "still"), (grips, "carried"), (lets, "still"))
    thing = Thing(now, gone, track, ((now, look),), motions, tuple(marks))
    ends = lets + (0.0 if away else float(rng.uniform(0.8, 1.2)))
    out = edge if away else _edge(rng, u, v)
    gx, gy = _GRIP
    way = Track(
        (comes, grips, lets, ends + 1e-3),
        (edge[0] + gx, x + gx, u + gx, out[0] + gx),
        (edge[1] + gy, y + gy, v + gy, out[1] + gy),
        (_HAND,) * n,
        (0.0,) * n,
    )
    hand = Thing(comes, ends, way, ((comes, Look(HAND)),), ((comes, "carried"),), layer=2)
    return [thing, hand]


def is_covered(rng: Generator, now: float, cast: Cast) -> list[Thing] | None:
    """A thing that something is laid over; most of the time it is uncovered again."""
    look, (x, y, radius) = cast.look(rng), cast.spot(rng)
    t = now + float(rng.uniform(2.0, 4.0))
    back = t + float(rng.uniform(2.0, 5.0))
    again = bool(rng.random() < 0.7)
    gone = back + float(rng.uniform(2.5, 5.0)) if again else back
    track = Track.resting(x, y, radius)
    marks = [(t, "covered", "")] + ([(back, "uncovered", "")] if again else [])
    thing = Thing(now, gone, track, ((now, look),), marks=tuple(marks))
    over = Track.resting(x, y, radius * 1.25)
    return [thing, Thing(t, back, over, ((t, Look(COVER)),), layer=1)]


def collide(rng: Generator, now: float, cast: Cast) -> list[Thing] | None:
    """Two things that run into one another and turn back."""
    first, second = stands(rng, now, cast), stands(rng, now, cast)
    if first is None or second is None:
        return None
    looks = (first[0].looks[0][1], second[0].looks[0][1])
    if looks[0].name == looks[1].name:
        return None
    radii = (first[0].radius(now), second[0].radius(now))
    flat = bool(rng.random() < 0.5)
    level, middle = (float(v) for v in rng.uniform((0.2, 0.42), (0.8, 0.58)))
    speed, run = float(rng.uniform(0.12, 0.2)), float(rng.uniform(1.6, 2.4))
    touch = now + run
    made = []
    for side, look, radius in zip((-1, 1), looks, radii, strict=True):
        near = middle + side * radius * 0.9
        far = near + side * speed * run
        along, across = (far, near, far), (level,) * 3
        times, sizes = (now, touch, touch + run), (radius,) * 3
        xs, ys = (along, across) if flat else (across, along)
        there, back = _ways(side, flat)
        if not cast.may_go(look, there, back):
            return None
        made.append(
            Thing(
                now,
                touch + run,
                Track(times, xs, ys, sizes, (0.0,) * 3),
                ((now, look),),
                ((now, there), (touch, back)),
                # One event, told of one of the two
                ((touch, "collided", looks[0].name),) if side > 0 else (),
            )
        )
    return made


def _ways(side: int, flat: bool) -> tuple[str, str]:
    less, more = ("left", "right") if flat else ("up", "down")
    return (more, less) if side < 0 else (less, more)


def _edge(rng: Generator, x: float, y: float) -> tuple[float, float]:
    """A point outside the picture, on the side that is nearest or on any other but the far one."""
    sides = [(-0.15, y), (1.15, y), (x, -0.15), (x, 1.15)]
    near = sorted(sides, key=lambda p: (p[0] - x) ** 2 + (p[1] - y) ** 2)[:3]
    return near[int(rng.integers(len(near)))]
