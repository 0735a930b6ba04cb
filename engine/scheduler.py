"""What the next step does: decisions without torch, threads or clocks.

Decode goes first: every answer that is speaking gets a token in every step. Prefill shares a token
budget. Every question gets a part of it in the first step after it came; while segments wait,
questions take at most three quarters, so that no run of questions stops the watching. Segments and
encodes go by turns of cameras (`engine.turns`).

With a `StepPace` the budgets are what fits into a step, as measured, so that the gaps between the
tokens of an answer stay short; the numbers of the scheduler are then upper bounds. An encode is not
cut: one always goes on, and prefill gets what time it leaves, or the least there is.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from engine.pace import Cost, Load, StepPace, fitting
from engine.prices import Prices
from engine.turns import Turns, Waiting, parts

__all__ = ["Load", "Scheduler", "StepPlan", "Waiting"]

WATCHING = 4  # one part in so many of the prefill budget is kept for segments that wait
LEAST = 16  # tokens prefilled in a step however slow it is
UNHEARD = 4.0  # steps may take so many times as long while nobody listens


@dataclass(frozen=True, slots=True)
class StepPlan:
    """One step: which answers decode, who prefills how many tokens, which jobs encode."""

    decode: tuple[int, ...]
    prefill: tuple[tuple[int, int], ...]  # (job, tokens)
    encode: tuple[int, ...]
    prefill_budget: int = 0
    encode_budget: int = 0


@dataclass(slots=True, eq=False)
class Scheduler:
    """Composes steps; one per engine, since it remembers whose turn it is.

    Args:
        prefill_tokens: most tokens prefilled in one step; at least one job always gets on, and
            each question.
        encode_tokens: most visual tokens encoded in one step; at least one job always gets on.
        pace: what steps cost; None takes the budgets as they are.

    Raises:
        ValueError: if there is no room for a question beside a segment.
    """

    prefill_tokens: int = 256
    encode_tokens: int = 1024
    pace: StepPace | None = None
    _prices: Prices = field(default_factory=Prices, repr=False)
    _noted: bool = field(default=False, repr=False)  # the last step says something
    _prefills: Turns = field(default_factory=Turns, repr=False)
    _encodes: Turns = field(default_factory=Turns, repr=False)

    def __post_init__(self) -> None:
        if self.prefill_tokens < 2 or self.encode_tokens < 1:
            raise ValueError("prefill_tokens must be at least 2 and encode_tokens at least 1")

    def plan(
        self, decoding: Sequence[int], prefills: Sequence[Waiting], encodes: Sequence[Waiting]
    ) -> StepPlan:
        """The next step.

        Args:
            decoding: answers that speak, all of which get a token.
            prefills: jobs with tokens laid out.
            encodes: jobs with pictures not yet seen.
        """
        questions = [job for job in prefills if job.urgent]
        segments = self._prefills.order(job for job in prefills if not job.urgent)
        room = self._room(len(decoding), 1 if decoding or questions else UNHEARD)
        to_see = self._encode_budget(room, sum(job.size for job in prefills))
        seen, size = self._encode(encodes, to_see)
        budget = self._prefill_budget(room, size)
        kept = min(-(-budget // WATCHING), sum(job.size for job in segments))
        # While nobody speaks no gap grows if questions are read in one go.
        asked = budget if decoding else self._prefill_budget(self._room(0, UNHEARD), size)
        granted = parts(questions, asked - kept)
        left = max(kept, budget - sum(tokens for _, tokens in granted))
        for job in segments:
            if left > 0:
                granted.append(self._prefills.grant(job, min(job.size, left)))
                left -= granted[-1][1]
        return StepPlan(tuple(decoding), tuple(granted), seen, budget, to_see)

    @property
    def cost(self) -> Cost | None:
        """What a step like the last costs; None while too little was measured. From any thread."""
        return self.pace.cost if self.pace is not None and self.pace.measured else None

    @property
    def costs(self) -> tuple[Cost, ...]:
        """What any step may cost; none while too little was measured. From any thread."""
        return self._prices.costs

    @property
    def full_ms(self) -> float:
        """Milliseconds that a step is filled up to at most: while nobody listens."""
        return math.inf if self.pace is None else UNHEARD * self.pace.step_ms

    def note(self, load: Load, ms: float) -> None:
        """A step that did so much took so many milliseconds."""
        self._noted = self.pace is not None and self.pace.note(load, ms)
        if self._noted:
            self._prices.note(load, ms)

    def took(self, ms: float) -> None:
        """The step just noted took so many milliseconds with all that is not timed of it."""
        if self._noted:
            self._prices.took(ms)

    def leave(self, camera: int) -> None:
        """A camera is gone: forget whose turn it was. Idempotent."""
        self._prefills.leave(camera)
        self._encodes.leave(camera)

    def _room(self, rows: int, steps: float) -> float | None:
        """Milliseconds for prefill and encodes; None if nothing is measured."""
        return None if self.pace is None else self.pace.room(rows, steps)

    def _encode(self, jobs: Sequence[Waiting], left: int) -> tuple[tuple[int, ...], int]:
        """Whose pictures are seen, and how many visual tokens that makes."""
        chosen: list[tuple[int, int]] = []
        for job in self._encodes.order(jobs):
            if chosen and job.size > left:
                break  # nobody smaller slips past: it is this one's turn
            chosen.append(self._encodes.grant(job, job.size))
            left -= job.size
        return tuple(job for job, _ in chosen), sum(size for _, size in chosen)

    def _encode_budget(self, room: float | None, to_prefill: int) -> int:
        """Visual tokens: what prefill leaves of the room, half of it in any case."""
        if room is None or self.pace is None:
            return self.encode_tokens
        fits = max(room / 2, room - self.pace.cost.prefilled * to_prefill)
        return fitting(fits, self.pace.cost.encoded, 1, self.encode_tokens)

    def _prefill_budget(self, room: float | None, encoded: int) -> int:
        if room is None or self.pace is None:
            return self.prefill_tokens
        cost, least = self.pace.cost, min(LEAST, self.prefill_tokens)
        left = max(0.0, room - cost.encoded * encoded)
        return fitting(left, cost.prefilled, least, self.prefill_tokens)
