"""Scenes seen once: the dense visual tokens that all methods and budgets are then given.

Frames, their times and the cutting into segments are those of the live path; only the eye runs once
for all methods instead of once for each.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from core.frames import Frame, Segment
from core.tokens import VisualTokens
from evaluation.responders import SIZE, Excerpt
from evaluation.scenes import FRAMES, Posed, Scene
from models.vlm import VideoLanguageModel
from stream.cameras.segmenter import Segmenter

_TOGETHER: Final = 8  # segments in one call of the eye


@dataclass(frozen=True, slots=True, eq=False)
class Stretch:
    """What a camera sees before it is asked, and what it is then asked."""

    segments: tuple[VisualTokens, ...]  # dense, with attention; those since the stretch before
    posed: tuple[Posed, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Encoded:
    """A scene through the eye."""

    scene: Scene
    stretches: tuple[Stretch, ...]  # in order of time

    @property
    def posed(self) -> tuple[Posed, ...]:
        """All questions, in the order in which they are put."""
        return tuple(one for stretch in self.stretches for one in stretch.posed)

    @property
    def steps(self) -> int:
        """Temporal steps in all."""
        return sum(tokens.grid.t for one in self.stretches for tokens in one.segments)

    @property
    def tokens(self) -> int:
        """Dense visual tokens in all."""
        return sum(len(tokens) for one in self.stretches for tokens in one.segments)


def encode(
    model: VideoLanguageModel,
    scene: Scene,
    posed: Sequence[Posed],
    *,
    max_steps: int,
    cut_threshold: float,
) -> Encoded:
    """See a scene up to its last question.

    Args:
        model: whose eye.
        scene: what is watched.
        posed: its questions, at least one.
        max_steps: temporal steps of a segment at most; questions end segments too.
        cut_threshold: as the camera's; see `Segmenter`.
    """
    world = Excerpt(scene)
    segmenter = Segmenter(model.frames_per_step, max_steps, cut_threshold)
    stretches, shown = [], 0
    for step in sorted({one.step for one in posed}):
        due = FRAMES * (step + 1)
        for number in range(shown, due):
            pts = number / scene.fps
            segmenter.add(Frame(pts, pts, world.frame(pts, SIZE)))
        shown = due
        asked = tuple(one for one in posed if one.step == step)
        stretches.append(Stretch(tuple(_see(model, list(_taken(segmenter)))), asked))
    return Encoded(scene, tuple(stretches))


def _taken(segmenter: Segmenter) -> Iterator[Segment]:
    while segment := segmenter.take():
        yield segment


def _see(model: VideoLanguageModel, segments: Sequence[Segment]) -> Iterator[VisualTokens]:
    for start in range(0, len(segments), _TOGETHER):
        yield from model.encode(segments[start : start + _TOGETHER], attention=True, pixels=True)
