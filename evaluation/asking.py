"""Puts the questions of scenes, and the same in the dark."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from evaluation.responders import Put, Reply, Responder, night
from evaluation.rows import Row, Vigil
from evaluation.scenes import Drawn, Posed, Scene
from evaluation.standing import Watched


async def ask(responder: Responder, drawn: Iterable[Drawn], dark: int) -> list[Row]:
    """Put every question of every scene once it is due.

    Args:
        responder: watches and answers.
        drawn: scenes of one frame rate with their questions.
        dark: of how many scenes the questions are also put after as much black video.
    """
    rows, puts, fps = [], [], 1.0
    for number, (scene, posed) in enumerate(drawn):
        here = [Put(one.step, one.question.text) for one in posed]
        said = await _said(responder, scene, here)
        rows += [_row(scene, one, said[put]) for one, put in zip(posed, here, strict=True)]
        puts += [put if number < dark else None for put in here]
        fps = scene.fps
    blank = await _in_the_dark(responder, [put for put in puts if put], fps)
    return [
        replace(row, blank=blank[put].text) if put else row
        for row, put in zip(rows, puts, strict=True)
    ]


async def watch(responder: Responder, watched: Iterable[Watched], dark: int) -> list[Vigil]:
    """Put every standing question at every step of its scene but the first; else as `ask`."""
    vigils, puts, fps = [], [], 1.0
    for number, (scene, kept) in enumerate(watched):
        heres = [[Put(step, one.text, True) for step in range(1, scene.steps)] for one in kept]
        said = await _said(responder, scene, [put for here in heres for put in here])
        for vigil, here in zip(kept, heres, strict=True):
            vigils.append(replace(vigil, said=tuple(said[put].text for put in here)))
            puts.append(here if number < dark else None)
        fps = scene.fps
    every = [put for here in puts if here for put in here]
    blank = await _in_the_dark(responder, every, fps)
    return [
        replace(vigil, blank=tuple(blank[put].text for put in here)) if here else vigil
        for vigil, here in zip(vigils, puts, strict=True)
    ]


async def _said(responder: Responder, scene: Scene, puts: Sequence[Put]) -> dict[Put, Reply]:
    once = list(dict.fromkeys(puts))
    return dict(zip(once, await responder.answers(scene, once), strict=True))


async def _in_the_dark(responder: Responder, puts: Sequence[Put], fps: float) -> dict[Put, Reply]:
    if not puts:
        return {}
    return await _said(responder, night(1 + max(put.step for put in puts), fps), puts)


def _row(scene: Scene, posed: Posed, reply: Reply) -> Row:
    return Row(
        task=posed.task,
        question=posed.question.text,
        truth=posed.question.answer,
        answer=reply.text,
        url=scene.url,
        start=scene.start,
        asked=scene.end(posed.step),
        reached=reply.since < scene.step_seconds,
        age=posed.age,
    )
