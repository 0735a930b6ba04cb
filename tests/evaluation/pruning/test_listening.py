"""The one row of attention that selectors hear is that of plain transformers."""

from __future__ import annotations

import torch
from transformers import Qwen3VLForConditionalGeneration

from evaluation.pruning.desk import Desk
from evaluation.pruning.listening import LAYER, attention_row
from evaluation.pruning.watching import laid
from tests.models.oracle import whole
from tests.tiny import ours, segment, stock

QUESTION = "what do you see?"
SEGMENTS = [segment(0), segment(1, steps=1), segment(2)]


@torch.inference_mode()
def plain(question):
    """The last row of the layer's whole attention, by transformers' eager implementation."""
    reference = stock()
    config = type(reference.config)(**reference.config.to_dict())
    model = Qwen3VLForConditionalGeneration._from_config(config, attn_implementation="eager")
    model.load_state_dict(reference.state_dict())
    sequence = whole(SEGMENTS, question)
    out = model.eval()(
        input_ids=sequence.ids,
        mm_token_type_ids=sequence.kinds,
        pixel_values_videos=sequence.pixels,
        video_grid_thw=sequence.grids,
        output_attentions=True,
    )
    return out.attentions[LAYER][0].mean(dim=0)[-1]


def test_the_row_is_that_of_the_whole_attention():
    model = ours()
    desk = Desk(model, steps=3, memories=1, answers=1)
    before = desk.pool.free
    memory = desk.open()
    steps = [model.encode([one])[0] for one in SEGMENTS]
    desk.remember(memory, laid(model, steps, memory.next_position))
    row, other = (attention_row(desk, memory, text) for text in (QUESTION, "is it?"))
    torch.testing.assert_close(row, plain(QUESTION), atol=1e-5, rtol=1e-4)
    assert not torch.allclose(row[: memory.held], other[: memory.held], atol=1e-4)
    memory.release()
    assert desk.pool.free == before
