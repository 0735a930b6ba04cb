"""A method at a budget on scenes that were encoded before: what it kept, and what was answered."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import torch

from core.tokens import VisualTokens
from evaluation.pruning.desk import Desk
from evaluation.pruning.encoding import Encoded
from models.layout import Chunk
from models.vlm import VideoLanguageModel
from pruning.online import OnlinePruner
from pruning.policy import PruningPolicy


@dataclass(frozen=True, slots=True, eq=False)
class Pruned:
    """What a method let through of a scene."""

    stretches: tuple[tuple[VisualTokens, ...], ...]  # decided before each moment of asking
    encoded: int  # visual tokens decided about
    kept: int

    def same(self, other: Pruned) -> bool:
        """Whether the language model would be given exactly the same."""
        ours, theirs = self._all(), other._all()
        return len(ours) == len(theirs) and all(
            torch.equal(a.index, b.index) and torch.equal(a.features, b.features)
            for a, b in zip(ours, theirs, strict=True)
        )

    def _all(self) -> list[VisualTokens]:
        return [tokens for stretch in self.stretches for tokens in stretch]


def prune(encoded: Encoded, policy: PruningPolicy, budget: int) -> Pruned:
    """Send a scene through a method, segment by segment.

    What a look-ahead method still holds back when a question comes is not awaited, as it is not in
    the live path.

    Args:
        encoded: the scene.
        policy: the method.
        budget: visual tokens per temporal step.
    """
    pruner = OnlinePruner(policy, budget)
    stretches = tuple(
        tuple(decided for tokens in stretch.segments for decided in pruner.push(tokens))
        for stretch in encoded.stretches
    )
    return Pruned(stretches, pruner.encoded, pruner.kept)


def answers(desk: Desk, encoded: Encoded, pruned: Sequence[Pruned]) -> list[list[str]]:
    """For each pruning of the scene the answer to each question, in the order of `encoded.posed`.

    Args:
        desk: with room for as many memories.
        encoded: the scene.
        pruned: what different methods or budgets let through of it.

    Raises:
        LookoutError: if an answer failed.
    """
    memories = []
    said: list[list[str]] = [[] for _ in pruned]
    try:
        for _ in pruned:
            memories.append(desk.open())
        for number, stretch in enumerate(encoded.stretches):
            texts = [one.question.text for one in stretch.posed]
            for memory, one in zip(memories, pruned, strict=True):
                decided = one.stretches[number]
                desk.remember(memory, laid(desk.runner.model, decided, memory.next_position))
            for before, new in zip(said, desk.answer([(m, texts) for m in memories]), strict=True):
                before += new
    finally:
        for memory in memories:
            memory.release()
    return said


def laid(
    model: VideoLanguageModel, decided: Iterable[VisualTokens], position: int
) -> Iterator[Chunk]:
    """Runs of temporal steps laid out one after the other, from `position` on."""
    for tokens in decided:
        chunk = model.lay_steps(tokens, position)
        position = chunk.next_position
        yield chunk
