"""The model as transformers runs it, with nothing of ours in it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor
from transformers import AutoTokenizer, PreTrainedTokenizerBase, Qwen3VLForConditionalGeneration

from core.frames import Frame
from models.loading import EMBEDDED, embedded_folder
from models.preprocess import patchify
from models.qwen3_vl import SYSTEM
from models.vlm import VideoLanguageModel

Size = tuple[int, int]


@dataclass(frozen=True, slots=True, eq=False)
class Stock:
    """A checkpoint in transformers' own hands.

    Args:
        model: in eval mode.
        tokenizer: of it.
        stops: tokens that end an answer.
        silence: the token that says nothing; None if there is none.
    """

    model: Qwen3VLForConditionalGeneration
    tokenizer: PreTrainedTokenizerBase
    stops: frozenset[int]
    silence: int | None

    @staticmethod
    def load(name: str, like: VideoLanguageModel) -> Stock:
        """The same checkpoint once more, on the same device and in the same number format."""
        path = str(embedded_folder(name)) if name in EMBEDDED else name
        model = Qwen3VLForConditionalGeneration.from_pretrained(path, dtype=like.shape.dtype)
        tokenizer = AutoTokenizer.from_pretrained(path)
        ready = model.to(like.device).eval().requires_grad_(False)
        return Stock(ready, tokenizer, like.stop_ids, like.silence)

    def size(self, pixels: NDArray[np.uint8], like: VideoLanguageModel) -> Size:
        """Rows and columns to which that model's adapter resizes such a picture."""
        grid = like.encode_image(pixels).grid
        vision = self.model.config.vision_config
        cell = vision.patch_size * vision.spatial_merge_size
        return grid.h * cell, grid.w * cell

    def prompt(self, frames: Sequence[Frame], question: str) -> dict[str, Tensor]:
        """What `generate` takes: frames under their timestamps, then the question.

        Args:
            frames: already as large as the model sees them; two make a temporal step, an odd last
                one is repeated.
            question: in the user's words.
        """
        ids = self._ids(f"<|im_start|>system\n{SYSTEM}<|im_end|>\n<|im_start|>user\n")
        config = self.model.config.vision_config
        temporal, merge = config.temporal_patch_size, config.spatial_merge_size
        pixels, grids = [], []
        for start in range(0, len(frames), temporal):
            step = frames[start : start + temporal]
            values, grid = patchify(
                [frame.pixels for frame in step],
                (step[0].pixels.shape[0], step[0].pixels.shape[1]),
                patch=config.patch_size,
                merge=merge,
                temporal=temporal,
            )
            pixels.append(values)
            grids.append(grid)
            seen = int(grid.prod()) // merge**2
            ids += self._ids(f"<{(step[0].pts + step[-1].pts) / 2:.1f} seconds>")
            ids += self._ids("<|vision_start|>" + "<|video_pad|>" * seen + "<|vision_end|>")
        words = question.strip()
        asked = self.tokenizer(words, add_special_tokens=False, split_special_tokens=True)
        ids += asked["input_ids"]
        ids += self._ids("<|im_end|>\n<|im_start|>assistant\n")
        row = torch.tensor([ids])
        given = {"input_ids": row, "attention_mask": torch.ones_like(row)}
        pad = self.model.config.video_token_id
        given["mm_token_type_ids"] = (row == pad).int() * 2
        if pixels:
            given["pixel_values_videos"] = torch.cat(pixels).to(self.model.dtype)
            given["video_grid_thw"] = torch.cat(grids)
        return {key: value.to(self.model.device) for key, value in given.items()}

    def options(self, tokens: int) -> dict[str, Any]:
        """How `generate` says exactly so many tokens, greedily."""
        return {
            "max_new_tokens": tokens,
            "min_new_tokens": tokens,
            "do_sample": False,
            "suppress_tokens": sorted(self.stops),
            "begin_suppress_tokens": None if self.silence is None else [self.silence],
            "pad_token_id": self.tokenizer.pad_token_id,
        }

    def _ids(self, text: str) -> list[int]:
        ids: list[int] = self.tokenizer(text, add_special_tokens=False)["input_ids"]
        return ids


def fitted(frame: Frame, size: Size) -> Frame:
    """A frame as large as the model sees it, resized as `patchify` would."""
    if frame.pixels.shape[:2] == size:
        return frame
    x = torch.from_numpy(frame.pixels[None]).permute(0, 3, 1, 2)
    small = F.interpolate(x, size=size, mode="bicubic", antialias=True, align_corners=False)
    return Frame(frame.pts, frame.arrived, small[0].permute(1, 2, 0).contiguous().numpy())
