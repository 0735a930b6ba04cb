"""No pruning: every visual token is kept, whatever the budget. The dense reference of tables."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from core.tokens import VisualTokens
from pruning.policy import Kept, PruningPolicy, State, check, everything


@dataclass(frozen=True)
class Dense(PruningPolicy):
    """Keeps all tokens."""

    method: Literal["none"] = "none"
    adaptive: ClassVar[bool] = True

    def keep(
        self, tokens: VisualTokens, budget: int, state: State, following: VisualTokens | None = None
    ) -> Kept:
        """See `PruningPolicy.keep`; the budget is not applied."""
        check(tokens, max(budget, tokens.grid.t))
        return Kept(everything(tokens), state)
