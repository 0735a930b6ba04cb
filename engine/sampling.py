"""From logits to the next token."""

from __future__ import annotations

import torch
from torch import Tensor


def sample(logits: Tensor, temperature: float, generator: torch.Generator | None) -> int:
    """Next token id: the most likely one at temperature 0, else drawn.

    Args:
        logits: float32 [vocab].
        temperature: 0 or more.
        generator: on the CPU; draws are made there so that a seed gives the same text everywhere.
    """
    if temperature <= 0:
        return int(logits.argmax())
    weights = torch.softmax(logits.cpu() / temperature, dim=-1)
    return int(torch.multinomial(weights, 1, generator=generator))
