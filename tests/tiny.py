"""Tiny random Qwen3-VL checkpoints: the real architecture, small enough for a test."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast, Qwen3VLConfig, Qwen3VLForConditionalGeneration

from core.frames import Frame, Segment
from models.qwen3_vl import Qwen3VL
from models.vlm import ModelInfo

SPECIAL = [
    "<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|vision_start|>", "<|vision_end|>",
    "<|vision_pad|>", "<|image_pad|>", "<|video_pad|>",
]  # fmt: skip
PATCH, MERGE = 8, 2
CELL = PATCH * MERGE


@cache
def tokenizer() -> PreTrainedTokenizerFast:
    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bpe.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=320,
        special_tokens=SPECIAL,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    bpe.train_from_iterator(["what do you see? <1.5 seconds>"] * 4, trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=bpe, eos_token="<|im_end|>", pad_token="<|endoftext|>"
    )


@cache
def stock(seed: int = 0) -> Qwen3VLForConditionalGeneration:
    """A fresh random model with transformers' own attention."""
    ids = {name: tokenizer().convert_tokens_to_ids(name) for name in SPECIAL}
    config = Qwen3VLConfig(
        text_config={
            "vocab_size": 320, "hidden_size": 64, "intermediate_size": 96, "num_hidden_layers": 4,
            "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 32,
            "max_position_embeddings": 4096,
            "rope_parameters": {
                "rope_type": "default", "rope_theta": 1e5, "mrope_section": [6, 5, 5],
                "mrope_interleaved": True,
            },
        },
        vision_config={
            "hidden_size": 32, "intermediate_size": 64, "depth": 3, "num_heads": 2,
            "patch_size": PATCH, "spatial_merge_size": MERGE, "out_hidden_size": 64,
            "deepstack_visual_indexes": [0, 2], "num_position_embeddings": 64,
        },
        image_token_id=ids["<|image_pad|>"], video_token_id=ids["<|video_pad|>"],
        vision_start_token_id=ids["<|vision_start|>"], vision_end_token_id=ids["<|vision_end|>"],
        tie_word_embeddings=False,  # tied random weights only ever repeat themselves
    )  # fmt: skip
    torch.manual_seed(seed)
    model = Qwen3VLForConditionalGeneration(config).eval().requires_grad_(False)
    with torch.no_grad():  # default initialisation gives nearly flat logits; make choices decisive
        for parameter in model.parameters():
            parameter.mul_(3.0 if parameter.ndim > 1 else 1.0)
    model.generation_config.eos_token_id = ids["<|im_end|>"]
    return model


@cache
def ours(seed: int = 0, device: str = "cpu") -> Qwen3VL:
    """The same weights behind our adapter."""
    reference = stock(seed)
    model = Qwen3VLForConditionalGeneration(type(reference.config)(**reference.config.to_dict()))
    model.load_state_dict(reference.state_dict())
    model.generation_config.eos_token_id = reference.generation_config.eos_token_id
    info = ModelInfo("tiny", "qwen3_vl", 0, device, "float32", "random weights")
    return Qwen3VL(
        model.to(device).eval().requires_grad_(False), tokenizer(), info,
        min_pixels=4 * CELL**2, max_pixels=64 * CELL**2,
    )  # fmt: skip


def save(folder: Path) -> Path:
    """A checkpoint folder as people have them."""
    stock().save_pretrained(folder)
    tokenizer().save_pretrained(folder)
    return folder


def segment(
    index: int, *, steps: int = 1, size: tuple[int, int] = (48, 64), fps: float = 4.0
) -> Segment:
    """Random pictures, the same for the same index; pts go on from segment to segment."""
    random = np.random.default_rng(index)
    frames = []
    for n in range(2 * steps):
        pts = (index * 2 * steps + n) / fps
        pixels = random.integers(0, 256, (*size, 3), dtype=np.uint8)
        frames.append(Frame(pts, pts, pixels))
    return Segment(index, tuple(frames))
