"""Plays the members of pairs to somebody who answers, and writes down what is said."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Iterator
from typing import Any, Final, Protocol

from core.errors import AnswerError
from core.frames import Frame
from evaluation.twins.pairs import Member, Pair
from evaluation.twins.scripts import FRAME_SECONDS
from evaluation.twins.views import Film, View, whole
from stream.compose import House
from stream.replay import Replay
from stream.sources.base import SourceInfo, SourceStats
from stream.sources.sampler import Sampler
from stream.sources.thread import Reader, ThreadSource

SIZE: Final = (384, 384)  # pixels, of the demo camera's pictures
_MAX_TOKENS: Final = 48
_URL: Final = "demo:twins"  # where errors say that the pictures came from


class Player(Protocol):
    """Somebody who watches one member of a pair and answers."""

    async def answer(self, pair: Pair, member: Member) -> str:
        """What is said to the pair's question after the member was watched."""


class FilmReader(Reader):
    """Draws a film from its first to its last frame at the sampler's rate.

    Args:
        film: what is drawn.
        last: time of the last frame, seconds.
    """

    def __init__(self, film: Film, last: float) -> None:
        self._film, self._last = film, last

    def open(self) -> SourceInfo:
        """A film is always there."""
        return SourceInfo("rendered", SIZE[1], SIZE[0], None)

    def frames(
        self, sampler: Sampler, stats: SourceStats, stop: threading.Event
    ) -> Iterator[Frame]:
        """Frames whose pts are the film's time, from 0 on."""
        tick = 0
        while (pts := tick / sampler.fps) <= self._last and not stop.is_set():
            tick += 1
            if sampler.wants(pts):
                stats.decoded += 1
                yield Frame(pts, time.monotonic(), self._film.frame(pts, SIZE))

    def close(self) -> None:
        """Nothing is held."""


class PipelinePlayer:
    """Plays members through a camera with pruning and memory on, and asks its memory.

    Args:
        house: model, engine and cameras.
        view: what is watched of a member.
    """

    def __init__(self, house: House, view: View = whole) -> None:
        self._house, self._view = house, view

    async def answer(self, pair: Pair, member: Member) -> str:
        """See `Player`.

        Raises:
            LookoutError: if the answer failed.
        """
        film, last = self._view(member.shown), member.shown.last
        end = last + FRAME_SECONDS

        def camera() -> ThreadSource:
            return ThreadSource(lambda: FilmReader(film, last), _URL, live=False, lossless=True)

        replay = Replay(self._house, [(end, pair.question)], duration=end, max_tokens=_MAX_TOKENS)
        (asked,), _ = await replay.run(camera, _URL)
        if asked.result.error is not None:
            raise asked.result.cause or AnswerError(asked.result.error)
        return asked.result.text


async def play(player: Player, pairs: Iterable[Pair]) -> list[dict[str, Any]]:
    """Both members of all pairs, one after the other.

    Returns:
        lines of a file of answers, two for each pair.
    """
    return [
        pair.row(member, await player.answer(pair, member))
        for pair in pairs
        for member in pair.members
    ]
