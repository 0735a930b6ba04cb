"""Every pruning method, one line each: what settings, the command line, tests and tables read."""

from __future__ import annotations

from pruning.none import Dense
from pruning.policy import PruningPolicy
from pruning.random import Random
from pruning.uniform import Uniform
from pruning.vcast import VCast

METHODS: tuple[type[PruningPolicy], ...] = (
    Dense,
    Uniform,
    Random,
    VCast,
)


def policies() -> tuple[PruningPolicy, ...]:
    """Every method in every setting worth comparing."""
    return tuple(policy for method in METHODS for policy in method.variants())
