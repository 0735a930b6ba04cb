"""How much each visual token resembles what stood in its place one step before.

Nearly every method that removes what repeats over time starts here, with the last step of the
segment before as its only memory.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor


@dataclass(frozen=True, slots=True, eq=False)
class Last:
    """The last step seen, whole."""

    step: Tensor | None = None  # float32 [m, d]; None before the first

    def then(self, features: Tensor) -> Last:
        """The state after the steps of features [t, m, d]."""
        return Last(features[-1].clone())  # a view would keep the whole segment alive

    def before(self, features: Tensor) -> Tensor:
        """The step before each step, [t, m, d]; before the first of a stream stands itself."""
        first = features[:1] if self.step is None else self.step[None]
        return torch.cat([first, features[:-1]])


def cosine(one: Tensor, other: Tensor) -> Tensor:
    """Cosine over the last dimension, of tokens that are not zero; of equal ones exactly 1."""
    return 1 - distance(one, other).square() / 2


def distance(one: Tensor, other: Tensor) -> Tensor:
    """Length of the difference of the unit vectors, in [0, 2]: sqrt(2 - 2 cos)."""
    apart = F.normalize(one, dim=-1) - F.normalize(other, dim=-1)
    length: Tensor = apart.norm(dim=-1)
    return length
