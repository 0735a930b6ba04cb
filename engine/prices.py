"""What steps cost, for whoever must not promise too much. No torch, no clock.

`engine.pace` needs some account of a step that predicts the next one, which is like the last. What
a much fuller step takes is another question: as long as all steps are alike, nobody can tell what
of their time is fixed, and shared by all who share a step, from what each token takes. So there are
two accounts, the ends of what the newest steps allow (of the confidence interval of a least-squares
fit): one with as little fixed as may be, in which tokens are dear, one with as much, in which steps
are. What is promised must hold in both. They meet once steps of different sizes were seen. The eye
and the language model have a fixed part each.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray

from engine.pace import ROWS, TOKENS, Cost, Load

Vector = NDArray[np.float64]

MEMORY: Final = 512  # steps after which what one showed counts for a third
CHANGED: Final = 0.3  # mean relative error from which on another machine is measured, so to speak
QUICKLY: Final = 32  # steps that such a mean is over, and that are remembered then
EVERY: Final = 8  # steps after which the accounts are made up anew: that takes a tenth of a ms
SURE: Final = 2.0  # standard errors by which the fixed part may differ from what it seems
OUTLIER: Final = 3.0  # times what was expected that a step can have taken, for all that is noted
SHORTEST: Final = 0.05  # milliseconds that a step is expected to take at least
NOISE: Final = 0.05  # relative error of a step that is assumed at least
MOST_BESIDE: Final = 4.0  # times what is timed of steps that they can take as a whole
FIXED: Final = 2  # leading terms: the eye's and the language model's fixed parts


class Prices:
    """Learns from steps what they cost. Written by one thread; `costs` may be read by any."""

    def __init__(self) -> None:
        self._moments = np.zeros((5, 5))  # of what steps did, each over its expected time squared
        self._products = np.zeros(5)  # of that with the time they took
        self._error = NOISE**2  # mean square of relative errors
        self._drift = 0.0  # mean of relative errors
        self._timed = self._whole = 0.0  # milliseconds that were timed, and of the same steps whole
        self._steps = 0
        self._fit = np.zeros(5)
        self._known = np.zeros(5, bool)  # terms that the fit is of; of others nothing is expected
        self.costs: tuple[Cost, ...] = ()  # that may be true; none while too little was measured

    def note(self, load: Load, ms: float) -> None:
        """A step took so long.

        Args:
            load: what it did.
            ms: milliseconds that were timed of it.
        """
        did = _terms(load)
        expected = max(ms, SHORTEST)
        if self._known[did > 0].all():
            expected = max(float(did @ self._fit), SHORTEST)
            ms = min(ms, OUTLIER * expected)
            off = ms / expected - 1
            self._drift += (off - self._drift) / QUICKLY
            self._error += (min(1.0, off**2) - self._error) / max(1, min(self._steps, MEMORY))
        fade = 1 - 1 / (QUICKLY if abs(self._drift) > CHANGED else MEMORY)
        weight = expected**-2
        self._moments = fade * self._moments + weight * np.outer(did, did)
        self._products = fade * self._products + weight * ms * did
        self._steps += 1
        if self._steps % EVERY == 0:
            self._settle()
        self._timed = (1 - 1 / MEMORY) * self._timed + ms

    def took(self, ms: float) -> None:
        """A step that was noted took so many milliseconds as a whole, planning and all."""
        self._whole = (1 - 1 / MEMORY) * self._whole + ms

    def _settle(self) -> None:
        """Fit all terms; then the tokens' again, for the least and the most that may be fixed."""
        self._fit = _least(self._moments, self._products)
        self._known = np.diag(self._moments) > 0
        spread = np.linalg.inv(self._moments + _ridge(self._moments))
        doubt = spread[:FIXED, :FIXED].sum() * max(self._error, NOISE**2)
        fixed, sure = self._fit[:FIXED], SURE * math.sqrt(max(0.0, doubt))
        alone = _least(self._moments[:FIXED, :FIXED], self._products[:FIXED])  # all of it is fixed
        low, high = max(0.0, fixed.sum() - sure), min(fixed.sum() + sure, alone.sum())
        shape = fixed if sure < fixed.sum() else alone
        self.costs = (self._with(low, shape), self._with(max(low, high), shape))

    def _with(self, fixed_ms: float, shape: Vector) -> Cost:
        """The best account in which so much is fixed, the eye's and the model's part as given."""
        fixed = shape * (fixed_ms / shape.sum()) if shape.sum() > 0 else np.zeros(FIXED)
        rest = self._products[FIXED:] - self._moments[FIXED:, :FIXED] @ fixed
        row, prefilled, encoded = map(float, _least(self._moments[FIXED:, FIXED:], rest))
        beside = min(MOST_BESIDE, max(1.0, self._whole / self._timed)) if self._timed else 1.0
        return Cost(
            step=beside * float(fixed.sum()),
            row=beside * row / ROWS,
            prefilled=beside * prefilled / TOKENS,
            encoded=beside * encoded / TOKENS,
        )


def _terms(load: Load) -> Vector:
    """What a step's time is a sum of, each of about the same weight."""
    speaks = load.rows + load.prefilled > 0
    tokens = load.prefilled / TOKENS, load.encoded / TOKENS
    return np.array([load.encoded > 0, speaks, load.rows / ROWS, *tokens], np.float64)


def _ridge(moments: Vector) -> Vector:
    """What keeps terms that were never seen, or never apart, from being anything."""
    diagonal: Vector = np.diag(np.full(len(moments), 1e-9 * max(np.trace(moments), 1e-12)))
    return diagonal


def _least(moments: Vector, products: Vector) -> Vector:
    """The least-squares fit of which no term is negative."""
    fit = np.zeros(len(products))
    free = [n for n in range(len(products)) if moments[n, n] > 0]
    while free:
        part = moments[np.ix_(free, free)]
        found = np.linalg.solve(part + _ridge(part), products[free])
        if found.min() >= 0:
            fit[free] = found
            break
        free.pop(int(found.argmin()))
    return fit
