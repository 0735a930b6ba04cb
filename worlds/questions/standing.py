"""Standing questions, put again at every temporal step: mostly the right answer is silence.

The step in which something happens calls for words; the step after it may come late and is not
judged; all others call for silence.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from numpy.random import Generator

from worlds.questions.moment import Moment, Question, noun, worded
from worlds.things import Event
from worlds.vocabulary import BOX, COLOURS, LAMP, OBJECTS, SHAPES
from worlds.wording import NUMBERS, SILENCE, plural, say_event, say_number, with_article

_EARLY: Final = 0.3  # seconds before an event in which its first signs may show
AWAITED: Final = {
    "the hand takes something": ("picked up",),
    "something is taken": ("picked up",),
    f"the {BOX} is opened": ("opened",),
    f"the {BOX} is closed": ("closed",),
    f"the {LAMP} goes on": ("turned on",),
    f"the {LAMP} goes off": ("turned off",),
    "the number changes": ("changed number",),
    "something appears": ("appeared",),
    "something comes in": ("appeared",),
    "something leaves": ("left",),
    "something goes away": ("left",),
}
_RARE: Final = ("collided", "covered", "uncovered", "grew", "shrank", "jumped")


def note(m: Moment, rng: Generator) -> Question | None:
    """What changed with this step, if anything?"""
    return _made(m, rng, "note", worded("note", rng), lambda event: True)


def alert(m: Moment, rng: Generator) -> Question | None:
    """Has the awaited thing happened with this step?"""
    if rng.random() < 0.15:
        return _crowd(m, rng)
    now = m.stage.events(m.t - m.step, m.t)
    due = [event for event in now if event.kind not in _RARE]
    if rng.random() < 0.45:
        asked = [words for words, kinds in AWAITED.items() if any(e.kind in kinds for e in due)]
        pool = asked if asked and rng.random() < 0.6 else list(AWAITED)
        words = str(rng.choice(pool))
        kinds = AWAITED[words]
        return _made(m, rng, "alert", worded("alert", rng, words), lambda e: e.kind in kinds)
    kind = "appeared" if rng.random() < 0.65 else "left"
    name = _name([e for e in due if e.kind == kind], rng)
    awaited = with_article(name) if kind == "appeared" else f"the {name}"
    verb = {"appeared": ("appears", "comes in"), "left": ("leaves", "goes away")}[kind]
    words = f"{awaited} {verb[int(rng.integers(2))]}"

    def matches(event: Event) -> bool:
        return event.kind == kind and _fits(event, name)

    return _made(m, rng, "alert", worded("alert", rng, words), matches)


def _made(
    m: Moment, rng: Generator, task: str, text: str, matches: Callable[[Event], bool]
) -> Question | None:
    events = m.stage.events(max(0.0, m.t - 3 * m.step), m.t + _EARLY)
    chosen = [event for event in events if matches(event)]
    now = [event for event in chosen if m.t - m.step <= event.t < m.t]
    if not now:
        return None if chosen else Question(task, text, SILENCE)
    if len(now) > 1 or any(event.t >= m.t for event in chosen):
        return None
    look = now[0].thing.look(now[0].t - 0.01 if now[0].kind == "changed colour" else now[0].t)
    return Question(task, text, say_event(now[0].kind, look.name, now[0].detail), (now[0].thing,))


def _crowd(m: Moment, rng: Generator) -> Question | None:
    """Has this number of things been reached with this step?"""
    number = int(rng.integers(2, 5))
    words = f"there are {NUMBERS[number]} {plural(noun(rng))}"
    before, now = len(m.stage.seen(m.t - m.step)), len(m.stage.seen(m.t))
    lately = [len(m.stage.seen(max(0.0, m.t - k * m.step))) for k in (2, 3)]
    soon = len(m.stage.seen(m.t + _EARLY))
    text = worded("alert", rng, words)
    if before != number and now == number == soon and number not in lately:
        return Question("alert", text, say_number(number), tuple(m.seen))
    steady = before == now == soon and all(n == now or number != now for n in lately)
    return Question("alert", text, SILENCE) if steady and before == now else None


def _name(due: list[Event], rng: Generator) -> str:
    """What to wait for: often what came just now, or half of it, so that the rest must be seen."""
    if due and rng.random() < 0.6:
        look = due[-1].thing.look(due[-1].t)
        return look.noun if rng.random() < 0.3 else look.name
    if due and rng.random() < 0.4:
        look = due[-1].thing.look(due[-1].t)
        if look.noun in SHAPES:
            return f"{rng.choice(list(COLOURS))} {look.noun}"
    if rng.random() < 0.5:
        return str(rng.choice(list(OBJECTS)))
    return f"{rng.choice(list(COLOURS))} {rng.choice(list(SHAPES))}"


def _fits(event: Event, name: str) -> bool:
    look = event.thing.look(event.t)
    return name in (look.noun, look.name)
