"""A model that never ends an answer by itself, so that answers of different ways are as long."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from models.vlm import VideoLanguageModel

if TYPE_CHECKING:
    from memory.readers.reader import Plan
    from models.layout import Chunk


class Endless:
    """A `VideoLanguageModel` whose stop tokens are never said and whose words are its ids.

    `detokenize` spells ids as numbers, each with a semicolon, so that what comes out of an engine
    as text says token for token what was generated. All else is the model's own.

    Args:
        model: which.
    """

    def __init__(self, model: VideoLanguageModel) -> None:
        self._model = model
        self._stops = sorted(model.stop_ids)
        self.stop_ids: frozenset[int] = frozenset()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._model, name)

    def forward(self, chunks: Sequence[Chunk], plan: Plan) -> Tensor:
        """Logits of the model, those of what ends an answer -inf."""
        logits = self._model.forward(chunks, plan).clone()
        logits[:, self._stops] = -torch.inf
        return logits

    def detokenize(self, ids: Sequence[int]) -> str:
        """The ids as numbers."""
        return "".join(f"{i};" for i in ids)


def spelled(text: str) -> list[int]:
    """The ids that `Endless.detokenize` spelled."""
    return [int(word) for word in text.split(";") if word]
