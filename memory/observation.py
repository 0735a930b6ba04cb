"""Queries that a forward asked with, kept so that a policy can see what attention would look at.

Few queries are enough: scores follow from them, the stored keys, and nothing else, so no attention
matrix is ever needed from the model.
"""

from __future__ import annotations

import torch
from torch import Tensor


class Observed:
    """The last queries of one sequence in every layer.

    Args:
        most: queries kept per layer.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._layers: dict[int, Tensor] = {}

    def note(self, layer: int, query: Tensor) -> None:
        """Take the queries of one more piece of the sequence.

        Args:
            layer: decoder layer.
            query: rotated, [tokens, heads, head_dim].
        """
        before = self._layers.get(layer)
        both = query if before is None else torch.cat([before, query])
        self._layers[layer] = both[-self._most :].detach().clone()

    def queries(self, layer: int) -> Tensor:
        """The last ones, rotated, [queries, heads, head_dim].

        Raises:
            KeyError: if nothing was asked in this layer.
        """
        return self._layers[layer]
