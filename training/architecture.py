"""The embedded default: a genuine Qwen3-VL, only with small numbers, in three sizes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import torch
from transformers import Qwen3VLConfig, Qwen3VLForConditionalGeneration

from training.attention import TEXT, VISION, register

MERGE: Final = 2
TEMPORAL: Final = 2  # frames per temporal step
SIDE: Final = 6  # visual tokens per side of a temporal step, in every size
PER_STEP: Final = SIDE * SIDE
VOCABULARY: Final = 1152


@dataclass(frozen=True, slots=True)
class Size:
    """The numbers that make a model larger or smaller."""

    patch: int  # pixels per side
    vision: tuple[int, int, int, int]  # width, depth, heads, inner width
    taps: tuple[int, ...]  # vision layers that DeepStack reads
    text: tuple[int, int, int, int, int, int]  # width, depth, heads, key heads, head width, inner

    @property
    def picture(self) -> int:
        """Pixels per side of a frame."""
        return SIDE * MERGE * self.patch


SIZES: Final[dict[str, Size]] = {
    "xs": Size(8, (96, 3, 3, 288), (1,), (128, 4, 4, 2, 32, 320)),  # 1.6 million parameters
    "s": Size(8, (128, 4, 4, 384), (1,), (192, 6, 6, 2, 32, 512)),  # 4.0 million
    "m": Size(16, (224, 6, 7, 672), (1, 3), (384, 10, 6, 2, 64, 1024)),  # 23 million, for a GPU
}


def embedded_config(special: dict[str, int], size: Size = SIZES["s"]) -> Qwen3VLConfig:
    """The configuration of the embedded default.

    Args:
        special: token ids by name, at least `<|video_pad|>`, `<|image_pad|>`, `<|vision_start|>`,
            `<|vision_end|>`, `<|im_end|>` and `<|endoftext|>`.
        size: one of `SIZES`.
    """
    width, depth, heads, key_heads, head, inner = size.text
    half = head // 2
    text: dict[str, Any] = {
        "vocab_size": VOCABULARY,
        "hidden_size": width,
        "intermediate_size": inner,
        "num_hidden_layers": depth,
        "num_attention_heads": heads,
        "num_key_value_heads": key_heads,
        "head_dim": head,
        "max_position_embeddings": 131072,
        "rms_norm_eps": 1e-6,
        "tie_word_embeddings": True,
        "bos_token_id": None,
        "eos_token_id": special["<|im_end|>"],
        "pad_token_id": special["<|endoftext|>"],
        "rope_parameters": {
            "rope_type": "default",
            "rope_theta": 1e5,
            "mrope_section": [half - 2 * (half * 5 // 16), half * 5 // 16, half * 5 // 16],
            "mrope_interleaved": True,
        },
    }
    width, depth, heads, inner = size.vision
    vision: dict[str, Any] = {
        "hidden_size": width,
        "depth": depth,
        "num_heads": heads,
        "intermediate_size": inner,
        "out_hidden_size": size.text[0],
        "patch_size": size.patch,
        "temporal_patch_size": TEMPORAL,
        "spatial_merge_size": MERGE,
        "num_position_embeddings": (SIDE * MERGE) ** 2,
        "deepstack_visual_indexes": list(size.taps),
    }
    return Qwen3VLConfig(
        text_config=text,
        vision_config=vision,
        image_token_id=special["<|image_pad|>"],
        video_token_id=special["<|video_pad|>"],
        vision_start_token_id=special["<|vision_start|>"],
        vision_end_token_id=special["<|vision_end|>"],
        tie_word_embeddings=True,
    )


def new_model(config: Qwen3VLConfig, seed: int) -> Qwen3VLForConditionalGeneration:
    """A float32 model with random weights that follow from `seed`, ready to be trained."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = Qwen3VLForConditionalGeneration(config)
    return fast(model)


def fast(model: Qwen3VLForConditionalGeneration) -> Qwen3VLForConditionalGeneration:
    """The same model with attention made for training; weights and results are untouched.

    Its language model then takes masks to be added, [n, 1, m, l], and no others.
    """
    register()
    model.set_attn_implementation({"text_config": TEXT, "vision_config": VISION})
    return model


def picture_of(model: Qwen3VLForConditionalGeneration) -> int:
    """Pixels per side of the frames a model is trained on."""
    return SIDE * MERGE * int(model.config.vision_config.patch_size)
