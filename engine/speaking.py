"""How the answers of an engine are spoken."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from engine.positions.continuous import Continuous
from engine.positions.scheme import Positions
from engine.visibility import AsAsked, Visibility


@dataclass(frozen=True, slots=True)
class Speaking:
    """One way for all answers.

    Args:
        visibility: what they see of what comes in meanwhile.
        positions: where their tokens stand.
    """

    visibility: Visibility
    positions: Positions


DEFAULT: Final = Speaking(AsAsked(), Continuous())
