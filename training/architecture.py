"""The embedded default: a genuine Qwen3-VL, only with small numbers."""

from __future__ import annotations

from typing import Any, Final

import torch
from transformers import Qwen3VLConfig, Qwen3VLForConditionalGeneration

from training.attention import TEXT, VISION, register

PICTURE: Final = 96  # pixels per side
PATCH: Final = 8
MERGE: Final = 2
TEMPORAL: Final = 2  # frames per temporal step
SIDE: Final = PICTURE // (PATCH * MERGE)  # visual tokens per side of a temporal step
PER_STEP: Final = SIDE * SIDE
VOCABULARY: Final = 1024


def embedded_config(special: dict[str, int]) -> Qwen3VLConfig:
    """The configuration of the embedded default.

    Args:
        special: token ids by name, at least `<|video_pad|>`, `<|image_pad|>`, `<|vision_start|>`,
            `<|vision_end|>`, `<|im_end|>` and `<|endoftext|>`.
    """
    text: dict[str, Any] = {
        "vocab_size": VOCABULARY,
        "hidden_size": 192,
        "intermediate_size": 512,
        "num_hidden_layers": 6,
        "num_attention_heads": 6,
        "num_key_value_heads": 2,
        "head_dim": 32,
        "max_position_embeddings": 131072,
        "rms_norm_eps": 1e-6,
        "tie_word_embeddings": True,
        "bos_token_id": None,
        "eos_token_id": special["<|im_end|>"],
        "pad_token_id": special["<|endoftext|>"],
        "rope_parameters": {
            "rope_type": "default",
            "rope_theta": 1e5,
            "mrope_section": [6, 5, 5],
            "mrope_interleaved": True,
        },
    }
    vision: dict[str, Any] = {
        "hidden_size": 128,
        "depth": 4,
        "num_heads": 4,
        "intermediate_size": 384,
        "out_hidden_size": 192,
        "patch_size": PATCH,
        "temporal_patch_size": TEMPORAL,
        "spatial_merge_size": MERGE,
        "num_position_embeddings": (PICTURE // PATCH) ** 2,
        "deepstack_visual_indexes": [1],
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
