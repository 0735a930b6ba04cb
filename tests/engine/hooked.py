"""A model with a hook before each forward: fails, or lets things happen, at a chosen moment."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch

from memory.readers.reader import Plan
from models.layout import Chunk
from models.qwen3_vl import Qwen3VL


class Hooked(Qwen3VL):
    """The same loaded model as `inner`, with `hook(chunks)` called before each forward."""

    def __init__(self, inner: Qwen3VL, hook: Callable[[Sequence[Chunk]], None]) -> None:
        vars(self).update(vars(inner))
        self.hook = hook

    def forward(self, chunks: Sequence[Chunk], plan: Plan) -> torch.Tensor:
        self.hook(chunks)
        return super().forward(chunks, plan)


def holds(model: Qwen3VL, chunks: Sequence[Chunk], text: str) -> bool:
    """Whether the first token of `text` is among the tokens of a forward."""
    wanted = model.lay_text(model.question_ids(text, [], "")[:1], 0).embeds
    return any(bool((chunk.embeds == wanted).all(dim=1).any()) for chunk in chunks)
