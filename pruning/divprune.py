"""DivPrune (arXiv 2503.02175): the most diverse tokens of a segment.

Greedy max-min: each next token is the one whose smallest distance, 1 - cosine, to the tokens chosen
so far is largest; the first is the one whose nearest neighbour is farthest (`pruning.maxmin`).

Online form, ours: the tokens kept last count as chosen already, so that a segment adds what is new
to them. At most as many as one step has are remembered, the most recent ones. Deviations: a token
is never chosen twice (the released code repeats row 0 among equal tokens); every step keeps at
least one token, which the last choices see to.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Tensor

from pruning.maxmin import farthest
from pruning.policy import Kept, PruningPolicy, Seen, State


@dataclass(frozen=True, slots=True, eq=False)
class Recent:
    """The tokens kept last."""

    tokens: Tensor | None = None  # float32 [m, d], the newest last; the first rows may be empty
    count: int = 0  # how many of them, from the end, are tokens

    @property
    def known(self) -> Tensor | None:
        """Those that are tokens, [s, d]."""
        return None if self.tokens is None else self.tokens[len(self.tokens) - self.count :]

    def then(self, kept: Tensor, room: int) -> Recent:
        """After more tokens [k, d] were kept; `room` rows are remembered."""
        old = kept.new_zeros(room, kept.shape[1]) if self.tokens is None else self.tokens
        tokens = torch.cat([old, kept])[-room:].clone()
        return Recent(tokens, min(self.count + len(kept), room))


@dataclass(frozen=True)
class DivPrune(PruningPolicy):
    """Keeps the tokens that are farthest from each other."""

    method: Literal["divprune"] = "divprune"
    stepwise: ClassVar[bool] = False

    def start(self) -> State:
        """Nothing kept."""
        return Recent()

    def decide(self, seen: Seen, budget: int, state: State) -> Kept:
        """See `PruningPolicy.decide`."""
        recent: Recent = state
        tokens = seen.features.flatten(0, 1)
        steps = torch.arange(seen.steps, device=tokens.device).repeat_interleave(seen.per_step)
        rows = farthest(tokens, budget, known=recent.known, groups=steps)
        return Kept(rows, recent.then(tokens[rows], seen.per_step))
