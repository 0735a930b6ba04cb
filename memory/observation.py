"""What a forward notes for a memory policy: what was asked, and what became of what was seen.

Few queries are enough: scores follow from them, the stored keys, and nothing else, so no attention
matrix is ever needed from the model. Of the residual stream one number per layer and token is kept.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from core.sending import sent


class Observed:
    """The last queries of one sequence in every layer, and how like its visual tokens remained.

    Args:
        most: queries kept per layer.
        states: whether the residual stream at visual tokens is compared with what was put in.
    """

    def __init__(self, most: int, *, states: bool = False) -> None:
        self.states = states
        self._most = most
        self._layers: dict[int, Tensor] = {}
        self._likeness: dict[int, Tensor] = {}

    def note(self, layer: int, query: Tensor) -> None:
        """Take the queries of one more piece of the sequence.

        Args:
            layer: decoder layer.
            query: rotated, [tokens, heads, head_dim].
        """
        if not self._most:
            return
        before = self._layers.get(layer)
        both = query if before is None else torch.cat([before, query])
        self._layers[layer] = both[-self._most :].detach().clone()

    def queries(self, layer: int) -> Tensor:
        """The last ones, rotated, [queries, heads, head_dim].

        Raises:
            KeyError: if nothing was asked in this layer.
        """
        return self._layers[layer]

    @property
    def asked(self) -> Mapping[int, Tensor]:
        """All queries so far, by layer."""
        return dict(self._layers)

    def mark(self) -> tuple[Mapping[int, Tensor], Mapping[int, Tensor]]:
        """All that was noted so far; later notes leave it as it is."""
        return dict(self._layers), dict(self._likeness)

    def rewind(self, mark: tuple[Mapping[int, Tensor], Mapping[int, Tensor]]) -> None:
        """Forget all else: a piece that failed will be run again."""
        self._layers, self._likeness = dict(mark[0]), dict(mark[1])

    def note_likeness(self, layer: int, cosines: Tensor) -> None:
        """Take how like the visual tokens of one more piece are to themselves before layer 0.

        Args:
            layer: decoder layer that reads them.
            cosines: [visual tokens].
        """
        before = self._likeness.get(layer)
        now = cosines.detach().float()
        self._likeness[layer] = now if before is None else torch.cat([before, now])

    def likeness(self, visual: NDArray[np.bool_]) -> Tensor | None:
        """Of the whole sequence, float32 [layers, tokens], NaN for others; None: it is unknown.

        Args:
            visual: which of its tokens are places of pictures, [tokens].
        """
        if not self._likeness:
            return None
        noted = torch.stack([self._likeness[layer] for layer in sorted(self._likeness)])
        found = noted.new_full((len(noted), len(visual)), torch.nan)
        found[:, sent(torch.from_numpy(np.flatnonzero(visual)), found.device)] = noted
        return found
