"""Plain transformers on the whole sequence at once: what our way of running must equal."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from core.frames import Segment
from models.preprocess import patchify
from models.qwen3_vl import SYSTEM
from tests.tiny import CELL, MERGE, PATCH, stock, tokenizer


@dataclass
class Whole:
    ids: Tensor  # [1, n]
    kinds: Tensor  # [1, n], 0 text, 2 video
    pixels: Tensor
    grids: Tensor  # [segments, 3]


def whole(segments: Sequence[Segment], question: str) -> Whole:
    """The sequence as the stock chat template and processor would write it."""
    ids = _ids(f"<|im_start|>system\n{SYSTEM}<|im_end|>\n<|im_start|>user\n")
    pixels, grids = [], []
    for one in segments:
        height, width = one.frames[0].pixels.shape[:2]
        assert height % CELL == 0 and width % CELL == 0, "no resize in these tests"
        p, g = patchify(
            [f.pixels for f in one.frames], (height, width), patch=PATCH, merge=MERGE, temporal=2
        )
        pixels.append(p)
        grids.append(g)
        per_step = int(g[0, 1] * g[0, 2]) // MERGE**2
        for step in range(int(g[0, 0])):
            first, second = one.frames[2 * step : 2 * step + 2]
            ids += _ids(f"<{(first.pts + second.pts) / 2:.1f} seconds>")
            ids += _ids("<|vision_start|>" + "<|video_pad|>" * per_step + "<|vision_end|>")
    ids += _ids(question) + _ids("<|im_end|>\n<|im_start|>assistant\n")
    row = torch.tensor([ids])
    kinds = (row == tokenizer().convert_tokens_to_ids("<|video_pad|>")).int() * 2
    return Whole(row, kinds, torch.cat(pixels), torch.cat(grids))


def generate(sequence: Whole, tokens: int) -> tuple[list[int], Tensor]:
    """Greedy ids by `generate`, and the logits of each, [tokens, vocab]."""
    out = stock().generate(
        input_ids=sequence.ids,
        mm_token_type_ids=sequence.kinds,
        pixel_values_videos=sequence.pixels,
        video_grid_thw=sequence.grids,
        attention_mask=torch.ones_like(sequence.ids),
        max_new_tokens=tokens,
        min_new_tokens=tokens,
        do_sample=False,
        output_logits=True,
        return_dict_in_generate=True,
        pad_token_id=tokenizer().pad_token_id,
    )
    said = out.sequences[0, sequence.ids.shape[1] :].tolist()
    return said, torch.cat(out.logits)


def masked(sequence: Whole, dropped: Tensor) -> Tensor:
    """Logits of the last token when the keys of `dropped` tokens (bool [n]) are hidden from all."""
    n = sequence.ids.shape[1]
    visible = torch.ones(n, n, dtype=torch.bool).tril() & ~dropped[None]
    visible |= torch.eye(n, dtype=torch.bool)  # a dropped token still sees itself; nobody reads it
    return attend(sequence, visible)


def attend(sequence: Whole, visible: Tensor, seen: Any = None) -> Tensor:
    """Logits of the last token when query i sees key j only where `visible`, bool [n, n].

    `seen` takes the place of what the vision tower would make of the pictures.
    """
    model = stock()
    positions, _ = model.model.get_rope_index(
        sequence.ids, sequence.kinds, video_grid_thw=sequence.grids
    )
    return model(
        input_ids=sequence.ids,
        mm_token_type_ids=sequence.kinds,
        pixel_values_videos=sequence.pixels if seen is None else None,
        mm_encoder_outputs=None if seen is None else {"video": seen},
        video_grid_thw=sequence.grids,
        position_ids=positions,
        attention_mask=visible[None, None],
    ).logits[0, -1]


def _ids(text: str) -> list[int]:
    return tokenizer()(text, add_special_tokens=False)["input_ids"]
