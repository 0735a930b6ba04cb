"""Streams through the eye once, and through every memory at the same time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import Final

import numpy as np

from core.frames import Frame, Segment
from core.tokens import VisualTokens
from engine.recalling import Recalling
from engine.side_by_side import Answered, Place, SideBySide
from evaluation.memory.results import BLACK, DENSE, Row
from evaluation.memory.streams import FPS, Put, Stream
from memory.policies.sink_window import SinkWindow
from memory.presets import Preset, room
from models.vlm import VideoLanguageModel
from pruning.policy import PruningPolicy
from stream.cameras.segmenter import Segmenter
from stream.settings import ArchiveSettings, MemorySettings, SegmentSettings

PAGE: Final = MemorySettings().page_size
TOGETHER: Final = 4  # questions that every memory is asked at once
_STEPS: Final = 16  # encoded in one call of the eye


def places(
    model: VideoLanguageModel, presets: Sequence[Preset], tokens: int, dense_steps: int
) -> list[Place]:
    """Room for every preset in the bytes of so many tokens, and for the two controls.

    Args:
        model: whose keys and values are held.
        presets: all of one size in bytes.
        tokens: whose bytes each may take.
        dense_steps: temporal steps that the control without a bound has room for.
    """
    found = []
    for preset in presets:
        size = room(preset, model.shape, tokens, PAGE)
        recalling = None
        if preset.archived is not None:
            codec, gate = preset.archived.codec, preset.archived.gate
            budget = ArchiveSettings().budget
            recalling = Recalling(codec, gate, size.archive_bytes, budget)
        found.append(Place(preset.name, preset.policy, size.capacity, recalling))
    whole = len(model.prefix()) + dense_steps * model.max_step_tokens
    found.append(Place(DENSE, SinkWindow(), whole))
    found.append(Place(BLACK, SinkWindow(), tokens // PAGE * PAGE))
    return found


class Watcher:
    """Lets all memories of a comparison watch streams.

    Args:
        memories: side by side, none of them open; those named `DENSE` and `BLACK` are the controls.
        policy: which visual tokens are kept.
        dense_steps: after which the control without a bound is given up.
        segment_steps: temporal steps of a segment at most.
    """

    def __init__(
        self,
        memories: SideBySide,
        policy: PruningPolicy,
        dense_steps: int,
        segment_steps: int = SegmentSettings().max_steps,
    ) -> None:
        self._memories = memories
        self._segment_steps = segment_steps
        self._see = partial(
            memories.model.encode, attention=policy.needs_attention, pixels=policy.needs_pixels
        )
        self._dense_steps = dense_steps
        self._dark: dict[int, VisualTokens] = {}

    def rows(self, suite: str, stream: Stream) -> Iterator[Row]:
        """Every question of a stream with all answers, in order of time.

        Args:
            suite: that it belongs to.
            stream: what is watched.

        Raises:
            LookoutError: if an answer failed.
        """
        memories = self._memories
        memories.open(memories.places)
        try:
            shown = 0
            for moment in stream.moments:
                self._watch(stream, shown, moment + 1)
                shown = moment + 1
                due = [put for put in stream.puts if put.step == moment]
                for first in range(0, len(due), TOGETHER):
                    yield from self._ask(suite, stream, due[first : first + TOGETHER])
        finally:
            memories.close()

    def _watch(self, stream: Stream, start: int, stop: int) -> None:
        """Temporal steps [start, stop) enter every memory."""
        if stop > self._dense_steps:
            self._memories.drop(DENSE)
        model, cut = self._memories.model, SegmentSettings().cut_threshold
        for first in range(start, stop, _STEPS):
            segmenter = Segmenter(model.frames_per_step, self._segment_steps, cut)
            for frame in _frames(stream, stream.steps[first : min(stop, first + _STEPS)]):
                segmenter.add(frame)
            segments = list(_taken(segmenter))
            seen = self._see(segments)
            for segment, tokens in zip(segments, seen, strict=True):
                names = self._memories.open_names
                given = dict.fromkeys(names, tokens) | {BLACK: self._black(segment, tokens)}
                self._memories.perceive(segment, given)

    def _black(self, segment: Segment, tokens: VisualTokens) -> VisualTokens:
        """What the eye makes of as many black frames, at the same times."""
        count = len(segment.frames)
        if count not in self._dark:
            frames = (f.showing(np.zeros_like(f.pixels)) for f in segment.frames)
            dark = Segment(segment.index, tuple(frames))
            (found,) = self._see([dark])
            self._dark[count] = found
        return replace(self._dark[count], times=tokens.times)

    def _ask(self, suite: str, stream: Stream, due: Sequence[Put]) -> Iterator[Row]:
        memories = self._memories
        names = memories.open_names
        held = {name: memories.held_bytes(name) for name in names}
        answers = memories.ask([(name, put.text) for put in due for name in names])
        for number, put in enumerate(due):
            own = answers[number * len(names) : (number + 1) * len(names)]
            yield Row(
                suite=suite,
                stream=stream.name,
                task=put.task,
                question=put.text,
                truth=put.truth,
                asked=stream.asked(put.step),
                steps=put.step + 1,
                age=put.age,
                lasted=put.lasted,
                gap=put.gap,
                said={name: one.text for name, one in zip(names, own, strict=True)},
                held=held,
                read={name: _read(one) for name, one in zip(names, own, strict=True)},
            )


def _read(answer: Answered) -> list[tuple[float, float]]:
    """The stretches of stream that an answer read, seconds."""
    begun = answer.begun
    if begun.t_start is None or begun.t_end is None:
        return list(begun.recalled)
    return [(begun.t_start, begun.t_end), *begun.recalled]


def _frames(stream: Stream, steps: Sequence[float]) -> Iterator[Frame]:
    for start in steps:
        for pts in (start, start + 1 / FPS):
            yield Frame(pts, pts, stream.picture(pts))


def _taken(segmenter: Segmenter) -> Iterator[Segment]:
    while segment := segmenter.take():
        yield segment
