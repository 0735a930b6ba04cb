"""Who answers: the real pipeline, from frames of a demo camera to words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from evaluation.scenes import Scene
from stream.compose import House
from stream.replay import Replay
from stream.sources import MaxPace
from stream.sources.demo import DemoReader
from stream.sources.thread import ThreadSource
from worlds.world import World

_SIZE = (384, 384)  # of the demo camera


class Responder(Protocol):
    """Watches a scene and answers."""

    async def answers(self, scene: Scene, texts: Sequence[str], blank: bool) -> list[str]:
        """One answer to each text, each asked alone at the end of the scene.

        Args:
            scene: what is watched, from its start to its end.
            texts: questions.
            blank: watch as much black video instead.
        """


class Stretch(World):
    """The world of a scene from the scene's start on, or darkness instead.

    Args:
        scene: whose world.
        dark: whether nothing can be seen.
    """

    def __init__(self, scene: Scene, dark: bool) -> None:
        super().__init__(scene.world.seed, scene.world.mood)
        self._scene, self._dark = scene, dark

    def frame(self, t: float, size: tuple[int, int] = _SIZE) -> NDArray[np.uint8]:
        """The picture `t` seconds into the scene, uint8 [h, w, 3]."""
        if self._dark:
            return np.zeros((*size, 3), np.uint8)
        return self._scene.world.frame(self._scene.start + t, size)


class PipelineResponder:
    """Plays the scene through a camera with pruning and memory on, and asks its memory.

    Args:
        house: model, engine and cameras.
    """

    def __init__(self, house: House) -> None:
        self._house = house

    async def answers(self, scene: Scene, texts: Sequence[str], blank: bool) -> list[str]:
        """See `Responder`."""
        world = Stretch(scene, dark=blank)
        pace = MaxPace()

        def camera() -> ThreadSource:
            return ThreadSource(
                lambda: DemoReader(world, _SIZE, pace.pacer()),
                "held-out scene",
                live=True,
                lossless=True,
            )

        length = scene.end - scene.start  # a camera's clock starts at 0
        replay = Replay(self._house, [(length, text) for text in texts], duration=length)
        asked, _ = await replay.run(camera, "demo:held-out")
        found = {one.question: one.result.text for one in asked}
        return [found[text] for text in texts]
