"""What a question's last token attends to, at one layer of the language model."""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor

from engine.runner import Row, Runner
from evaluation.pruning.desk import Desk
from evaluation.pruning.sharing import SharingReader
from memory.memory import KVMemory
from memory.readers.reader import Plan, Reader
from memory.scratch import Scratch, gather
from pruning.selectors.fastv import last_row

# FastV drops after layer 2 what the layer before gave little. Methods that published another layer
# are heard here too, so that all hear the same.
LAYER: Final = 1


def attention_row(desk: Desk, memory: KVMemory, text: str) -> Tensor:
    """What the last token before the answer gives each token, itself included; heads averaged.

    Args:
        desk: whose model; a question is prefilled and forgotten.
        memory: of the desk; nothing was evicted, so its slots are in the order of the stream.
        text: the question.

    Returns:
        float32 [held + tokens of the question]; sums to 1.
    """
    model, reader = desk.runner.model, _Listening()
    chunk = model.lay_text(model.question_ids(text, (), ""), memory.next_position)
    scratch = Scratch(desk.pool, len(chunk))
    try:
        Runner(model, desk.pool, reader).forward([Row(chunk, memory.view(), scratch)])
        views = (memory.view(), scratch.view())
        keys = torch.cat([gather(desk.pool, LAYER, view)[0] for view in views])
    finally:
        scratch.release()
    assert reader.query is not None, "every forward passes the layer"
    return last_row(reader.query, keys.transpose(0, 1))


class _Listening(Reader):
    """Notes the last token's query of one layer, and reads as ever."""

    def __init__(self) -> None:
        self._reader = SharingReader()
        self.query: Tensor | None = None  # [heads, head_dim]

    def read(self, plan: Plan, layer: int, query: Tensor, scale: float) -> Tensor:
        """See `Reader.read`."""
        if layer == LAYER:
            self.query = query[-1].clone()
        return self._reader.read(plan, layer, query, scale)
