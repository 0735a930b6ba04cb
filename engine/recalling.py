"""Reading the past: which archived steps a question reads beside the hot memory, and where.

The question's words look at the hot memory once, which gives queries; the archived steps that
answer to them are thawed into the answer's private pages, before the question, at positions between
the fixed beginning and the hot memory.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from engine.runner import Row, Runner
from memory.codecs.codec import Codec
from memory.observation import Observed
from memory.packed.choice import choose
from memory.readers.reader import Demand
from memory.recall.archive import Archive, Step
from memory.recall.finding import find
from memory.recall.gate import Gate
from memory.recall.placing import place
from memory.scratch import Scratch
from memory.snapshot import Snapshot
from models.vlm import VideoLanguageModel


@dataclass(frozen=True, slots=True)
class Recalling:
    """How cameras keep what the hot memory gives up, and when answers read it.

    Args:
        codec: how it is frozen.
        gate: which questions read it.
        archive_bytes: of one camera at most.
        budget: tokens that an answer reads of it at most.

    Raises:
        ValueError: if a number is below 1.
    """

    codec: Codec
    gate: Gate
    archive_bytes: int
    budget: int

    def __post_init__(self) -> None:
        if self.archive_bytes < 1 or self.budget < 1:
            raise ValueError(f"no archive of {self.archive_bytes} bytes, {self.budget} tokens")

    def archive(self, model: VideoLanguageModel) -> Archive:
        """A new camera's archive."""
        return Archive(self.codec, model.rotation, self.archive_bytes)


@dataclass(frozen=True, slots=True, eq=False)
class Recalled:
    """Archived steps and the least position that each is read at."""

    steps: tuple[Step, ...] = ()
    bases: tuple[int, ...] = ()
    stretches: tuple[tuple[float, float], ...] = ()  # stream seconds, each read whole

    def __len__(self) -> int:
        """Tokens."""
        return sum(len(step) for step in self.steps)


def recall(
    runner: Runner, snapshot: Snapshot, steps: Sequence[Step], text: str, budget: int
) -> Recalled:
    """What a question reads of the archive.

    Args:
        runner: runs the question's words once.
        snapshot: of the hot memory.
        steps: archived when the snapshot was taken, oldest first.
        text: of the question.
        budget: tokens at most.
    """
    model, extent = runner.model, snapshot.extent
    ids, ending = model.question_ids(text, (), ""), model.question_ids("", (), "")
    own = ids[: len(ids) - len(ending)]
    if not steps or not own:
        return Recalled()
    chunk, observed = model.lay_text(own, extent.next_position), Observed(len(own))
    scratch = Scratch(runner.pool, len(own))
    try:
        runner.forward([Row(chunk, snapshot.view, scratch, observed)])
    finally:
        scratch.release()
    layers = range(model.shape.layers)
    rotated = torch.stack([observed.queries(layer) for layer in layers])  # [l, words, heads, d]
    bare = model.rotation.take(rotated.transpose(1, 2), chunk.positions.T).transpose(1, 2)
    chosen = find(steps, bare, budget)
    while chosen:
        bases = place(chosen, extent.floor, extent.oldest_position)
        if bases is not None:
            return Recalled(chosen, tuple(bases), _stretches(chosen))
        chosen = chosen[1:]
    return Recalled()


def _stretches(chosen: Sequence[Step]) -> tuple[tuple[float, float], ...]:
    """Steps between which nothing was seen, as one stretch of time each.

    Neighbours in the archive may lie hours apart, where what was between them was forgotten.
    """
    found: list[tuple[float, float]] = []
    end = -1  # position after the step before
    for step in chosen:
        start = found.pop()[0] if step.base == end else step.time
        found.append((start, step.time))
        end = step.base + step.size
    return tuple(found)


def put(runner: Runner, recalled: Recalled, scratch: Scratch) -> None:
    """Thaw into the first slots of an answer's private pages."""
    if not recalled.steps:
        return
    pool = runner.pool
    unpacker = choose(Demand(pool.device, pool.shape, pool.page_size))
    slots = scratch.extend(len(recalled))
    unpacker.put(recalled.steps, recalled.bases, runner.model.rotation, pool, slots)
