"""How long to wait before a lost source is tried again: for ever, in steps, with jitter."""

from __future__ import annotations

import random
from dataclasses import dataclass, field

from core.errors import Reason


@dataclass(frozen=True, slots=True)
class Backoff:
    """Waiting times between attempts.

    Args:
        steps_s: seconds before the first, second, ... attempt; the last one repeats for ever.
        auth_steps_s: the same where the camera refused the password: asking often locks accounts.
        jitter: share by which each wait varies to both sides, so that cameras do not come in step.
        healthy_after_s: seconds of unbroken delivery after which counting starts again.
        rng: where the jitter comes from.
    """

    steps_s: tuple[float, ...] = (1, 2, 4, 8, 16, 30, 60)
    auth_steps_s: tuple[float, ...] = (10, 30, 60, 120, 300)
    jitter: float = 0.2
    healthy_after_s: float = 60.0
    rng: random.Random = field(default_factory=random.Random, compare=False, repr=False)

    def delay(self, failures: int, reason: Reason) -> float:
        """Seconds to wait after the given number of failures in a row (1 is the first)."""
        steps = self.auth_steps_s if reason == "auth" else self.steps_s
        step = steps[min(failures, len(steps)) - 1]
        return step * self.rng.uniform(1 - self.jitter, 1 + self.jitter)
