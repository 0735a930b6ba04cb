"""Pruning a stream: carries a policy's state from segment to segment of one camera.

A policy that looks ahead decides a step only when the next ones have been seen; those wait here, at
most `policy.delay` temporal steps of them.
"""

from __future__ import annotations

from typing import Any

from core.tokens import VisualTokens, concatenate
from pruning.policy import PruningPolicy

Mark = tuple[int, int, Any, VisualTokens | None]


class OnlinePruner:
    """One camera's pruner. Not thread-safe: one caller at a time.

    Args:
        policy: the method.
        budget: visual tokens to keep per temporal step, at least 1.
    """

    def __init__(self, policy: PruningPolicy, budget: int) -> None:
        if budget < 1:
            raise ValueError(
                f"budget must be at least 1 visual token per temporal step, not {budget}"
            )
        self.policy = policy
        self.budget = budget
        self.encoded = 0  # visual tokens decided about
        self.kept = 0  # visual tokens kept of them
        self._state = policy.start()
        self._waiting: VisualTokens | None = None

    @property
    def ratio(self) -> float:
        """Share of the visual tokens decided about that was kept; 1 before the first."""
        return self.kept / self.encoded if self.encoded else 1.0

    def mark(self) -> Mark:
        """Where it stands; states and what waits are never changed in place."""
        return self.encoded, self.kept, self._state, self._waiting

    def rewind(self, mark: Mark) -> None:
        """Forget all that was pushed since."""
        self.encoded, self.kept, self._state, self._waiting = mark

    def push(self, tokens: VisualTokens) -> list[VisualTokens]:
        """The steps that can be decided now, pruned, in order; none, one or two runs of them.

        A change of rows or columns ends what waited and starts the policy afresh.
        """
        decided = []
        if self._waiting is not None and self._waiting.grid[1:] != tokens.grid[1:]:
            decided = self.flush()
        if self._waiting is not None:
            tokens = concatenate(self._waiting, tokens)
        ready = tokens.grid.t - self.policy.delay
        if ready <= 0:
            self._waiting = tokens
            return decided
        self._waiting = tokens.steps(ready, tokens.grid.t) if self.policy.delay else None
        return [*decided, self._decide(tokens.steps(0, ready), self._waiting)]

    def flush(self) -> list[VisualTokens]:
        """What waited, decided as the end of a stream; the policy starts afresh."""
        waiting, self._waiting = self._waiting, None
        decided = [self._decide(waiting, None)] if waiting is not None else []
        self._state = self.policy.start()
        return decided

    def _decide(self, tokens: VisualTokens, following: VisualTokens | None) -> VisualTokens:
        rows, self._state, merge = self.policy.keep(
            tokens, self.budget * tokens.grid.t, self._state, following
        )
        self.encoded += len(tokens)
        self.kept += len(rows)
        return tokens.select(rows, merge)
