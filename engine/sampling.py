"""From logits to the next token."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


class Logits:
    """What a packed forward says comes next in each of its rows.

    Args:
        rows: float32 [rows, vocab].
    """

    def __init__(self, rows: Tensor) -> None:
        self.rows = rows
        self._likeliest: list[int] | None = None

    @property
    def likeliest(self) -> list[int]:
        """The likeliest token of each row: the first who asks waits for the device, for all."""
        if self._likeliest is None:
            self._likeliest = self.rows.argmax(dim=-1).tolist()
        return self._likeliest

    def each(self) -> list[Next]:
        """Row by row."""
        return [Next(self, place) for place in range(len(self.rows))]


@dataclass(frozen=True, slots=True)
class Next:
    """What comes next in one row."""

    said: Logits
    place: int

    @property
    def logits(self) -> Tensor:
        """Float32 [vocab]."""
        return self.said.rows[self.place]

    @property
    def likeliest(self) -> int:
        """The likeliest token."""
        return self.said.likeliest[self.place]


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
