"""How long steps take: a running estimate of what each of their parts costs. No torch, no clock.

A step's time is taken to be a fixed part plus so much per decode row, per prefilled token and per
encoded visual token. Every step that was timed pulls the four numbers towards what it showed (the
normalised least-mean-squares rule), the more the longer the step was expected to differ in each.
The first steps of each kind say nothing: they compile, load and set memory aside once for all. A
single outlier moves them by a few times the usual error at most; when errors stay large that bound
grows with them, so a lasting change is followed within dozens of steps.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

RATE = 0.2  # how far one step pulls; 1 would believe each step alone
BOUND = 3.0  # usual errors that one step may pull by
WARMING = 2  # steps of each kind that are passed over
SETTLING = 8  # first steps, which pull unbounded: nothing is usual yet
UNUSUAL_MS = 0.05  # errors below are never unusual, nor are those below so much of the step:
UNUSUAL_SHARE = 0.02
# What makes the parts of a step comparable: so many of each weigh about as much as the fixed part.
ROWS, TOKENS = 8, 64


@dataclass(frozen=True, slots=True)
class Load:
    """What a step does."""

    rows: int = 0  # answers that get a token
    prefilled: int = 0  # tokens of questions and segments
    encoded: int = 0  # visual tokens seen


@dataclass(frozen=True, slots=True)
class Cost:
    """What a step's parts take, in milliseconds; never negative."""

    step: float = 0.0
    row: float = 0.0
    prefilled: float = 0.0  # per token
    encoded: float = 0.0  # per visual token

    def of(self, load: Load) -> float:
        """Milliseconds that such a step takes."""
        return (
            self.step
            + self.row * load.rows
            + self.prefilled * load.prefilled
            + self.encoded * load.encoded
        )


class StepPace:
    """Learns what steps cost and says how much of them fits into a given time.

    `cost` may be read from any thread: it is replaced, never changed.

    Args:
        step_ms: what a step shall take at most while somebody listens.

    Raises:
        ValueError: if that is not positive.
    """

    def __init__(self, step_ms: float = 50.0) -> None:
        if not step_ms > 0:
            raise ValueError(f"step_ms must be positive, not {step_ms}")
        self.step_ms = step_ms
        self.cost = Cost()
        self._warm: Counter[tuple[bool, ...]] = Counter()  # steps by what they did at all
        self._steps = 0
        self._usual = 0.0  # mean size of the errors, milliseconds

    @property
    def measured(self) -> bool:
        """Whether enough steps were timed for the costs to mean something."""
        return self._steps >= SETTLING

    def note(self, load: Load, ms: float) -> bool:
        """A step took so long; whether that says something.

        Args:
            load: what it did.
            ms: milliseconds.
        """
        kind = (load.rows > 0, load.prefilled > 0, load.encoded > 0)
        if self._warm[kind] < WARMING:
            self._warm[kind] += 1
            return False
        error = ms - self.cost.of(load)
        floor = UNUSUAL_MS + UNUSUAL_SHARE * ms
        bound = BOUND * max(self._usual, floor)
        pull = max(-bound, min(bound, error)) if self.measured else error
        self._pull(load, RATE * pull)
        # The error itself would let one outlier excuse the next; this much still grows quickly.
        self._usual += RATE / 2 * (min(abs(error), 2 * bound) - self._usual)
        self._steps += 1
        return True

    def room(self, rows: int, steps: float = 1.0) -> float:
        """Milliseconds for prefill and encodes beside the decode rows.

        At least as many as the rest of the step takes: where that alone takes half the time or
        more, smaller steps would be spent on being steps, and everything would take longer.

        Args:
            rows: answers that get a token.
            steps: how many times `step_ms` the step may take.
        """
        rest = self.cost.of(Load(rows))
        return max(self.step_ms * steps - rest, rest)

    def _pull(self, load: Load, by: float) -> None:
        old = self.cost
        rows, tokens, seen = load.rows / ROWS, load.prefilled / TOKENS, load.encoded / TOKENS
        share = by / (1 + rows**2 + tokens**2 + seen**2)
        self.cost = Cost(
            step=max(0.0, old.step + share),
            row=max(0.0, old.row + share * rows / ROWS),
            prefilled=max(0.0, old.prefilled + share * tokens / TOKENS),
            encoded=max(0.0, old.encoded + share * seen / TOKENS),
        )


def fitting(room: float, each: float, least: int, most: int) -> int:
    """How many tokens fit into a time, at least and at most so many.

    Args:
        room: milliseconds.
        each: milliseconds per token; 0 if nothing is known of them.
        least: granted whatever they take.
        most: granted at most, unless `least` is more.
    """
    fits = most if each * most <= room else int(room / each)
    return max(least, min(most, fits))
