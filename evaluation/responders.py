"""Who answers: the real pipeline, from frames of a demo camera to words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from core.errors import AnswerError
from evaluation.scenes import Scene
from stream.compose import House
from stream.replay import Asked, Replay
from stream.sources import MaxPace
from stream.sources.demo import DemoReader
from stream.sources.thread import ThreadSource
from worlds.catalog import MOODS
from worlds.world import World

SIZE: Final = (384, 384)  # of the demo camera's pictures
_MAX_TOKENS: Final = 64  # of an answer; the longest true ones take half of it


@dataclass(frozen=True, slots=True)
class Put:
    """A text and the temporal step, from 0, after which it is put."""

    step: int
    text: str
    standing: bool = False  # may be answered by saying nothing


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer, and the oldest stamp in the memory that it was read from, seconds."""

    text: str
    since: float


class Responder(Protocol):
    """Watches a scene and answers."""

    async def answers(self, scene: Scene, puts: Sequence[Put]) -> list[Reply]:
        """One answer to each text, each put alone, in the order of `puts`.

        Args:
            scene: what is watched, from its start.
            puts: each text at each step at most once.
        """


class Excerpt(World):
    """The world of a scene from the scene's start on; black after its end, where nobody looks.

    Args:
        scene: whose world.
    """

    def __init__(self, scene: Scene) -> None:
        super().__init__(scene.world.seed, scene.world.mood)
        self._scene, self._length = scene, scene.whole(scene.steps - 1)

    def frame(self, t: float, size: tuple[int, int] = SIZE) -> NDArray[np.uint8]:
        """The picture `t` seconds into the scene, uint8 [h, w, 3]."""
        if t >= self._length:
            return np.zeros((*size, 3), np.uint8)
        return self._scene.world.frame(self._scene.start + t, size)


class Night(World):
    """A world in which nothing can ever be seen."""

    def __init__(self) -> None:
        super().__init__(0, next(iter(MOODS.values())))

    def frame(self, t: float, size: tuple[int, int] = SIZE) -> NDArray[np.uint8]:
        """Black, uint8 [h, w, 3]."""
        return np.zeros((*size, 3), np.uint8)


def night(steps: int, fps: float) -> Scene:
    """A scene of as much black video.

    A camera's clock starts at 0 and black frames are all alike, so its first steps are just what
    any shorter scene of black video is.
    """
    return Scene(Night(), "black video", 0.0, steps, fps)


class PipelineResponder:
    """Plays the scene through a camera with pruning and memory on, and asks its memory.

    Args:
        house: model, engine and cameras.
    """

    def __init__(self, house: House) -> None:
        self._house = house

    async def answers(self, scene: Scene, puts: Sequence[Put]) -> list[Reply]:
        """See `Responder`.

        Raises:
            LookoutError: if an answer failed.
        """
        pace, world = MaxPace(), Excerpt(scene)

        def camera() -> ThreadSource:
            return ThreadSource(
                lambda: DemoReader(world, SIZE, pace.pacer()), scene.url, live=True, lossless=True
            )

        questions = [(scene.whole(put.step), put.text) for put in puts]
        duration = max(at for at, _ in questions)
        replay = Replay(
            self._house,
            questions,
            duration=duration,
            max_tokens=_MAX_TOKENS,
            standing={put.text for put in puts if put.standing},
        )
        asked, _ = await replay.run(camera, scene.url)
        found = {(one.asked_at, one.question): _reply(one) for one in asked}
        return [found[question] for question in questions]


def _reply(asked: Asked) -> Reply:
    result = asked.result
    if result.error is not None:
        raise result.cause or AnswerError(result.error)
    return Reply(result.text, result.evidence[0].t_start)
