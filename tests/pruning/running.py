"""A policy over a stream, as the engine runs it."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from core.tokens import VisualTokens, concatenate
from pruning.online import OnlinePruner
from pruning.policy import PruningPolicy
from tests.pruning.scenes import looks, tokens


def run(
    policy: PruningPolicy,
    features: Tensor,
    budget: int,
    lengths: Sequence[int],
    attention: Tensor | None = None,
) -> VisualTokens:
    """The stream in segments of the given lengths; everything that was kept, in one piece."""
    attention = looks(len(features)) if attention is None else attention
    pruner, pieces, start = OnlinePruner(policy, budget), [], 0
    for length in lengths:
        part = slice(start, start + length)
        pieces += pruner.push(tokens(features[part], attention=attention[part]))
        start += length
    return joined(pieces + pruner.flush())


def joined(pieces: Sequence[VisualTokens]) -> VisualTokens:
    """Runs of steps as one."""
    whole = pieces[0]
    for piece in pieces[1:]:
        whole = concatenate(whole, piece)
    return whole
