"""Writes the embedded default as a folder that stock transformers classes load."""

from __future__ import annotations

import json
from copy import deepcopy
from pathlib import Path
from typing import Any, Final

import torch
from transformers import GenerationConfig, PreTrainedTokenizerFast, Qwen3VLForConditionalGeneration

from training.architecture import MERGE, TEMPORAL, picture_of

_PICTURES: Final[dict[str, Any]] = {
    "merge_size": MERGE,
    "temporal_patch_size": TEMPORAL,
    "do_resize": True,
    "do_rescale": True,
    "rescale_factor": 1 / 255,
    "do_normalize": True,
    "image_mean": [0.5, 0.5, 0.5],
    "image_std": [0.5, 0.5, 0.5],
    "do_convert_rgb": True,
    "resample": 3,
}


def save_checkpoint(
    model: Qwen3VLForConditionalGeneration, tokenizer: PreTrainedTokenizerFast, folder: Path
) -> None:
    """Write weights in bfloat16, configuration, tokenizer, template and picture settings.

    The model itself is left as it is.

    Args:
        model: trained, float32.
        tokenizer: its words.
        folder: made if it is not there; files of the same names are replaced.
    """
    folder.mkdir(parents=True, exist_ok=True)
    half = deepcopy(model).to(torch.bfloat16)
    end, pad = model.config.text_config.eos_token_id, model.config.text_config.pad_token_id
    half.generation_config = GenerationConfig(
        eos_token_id=end, pad_token_id=pad, do_sample=False, max_new_tokens=64
    )
    half.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    pixels = picture_of(model) ** 2
    sizes: dict[str, Any] = {
        "patch_size": model.config.vision_config.patch_size,
        "size": {"shortest_edge": pixels, "longest_edge": pixels},
        "lookout": {"min_pixels": pixels, "max_pixels": pixels},  # of one picture
    }
    kinds: dict[str, dict[str, Any]] = {
        "preprocessor_config.json": {"image_processor_type": "Qwen2VLImageProcessor"},
        "video_preprocessor_config.json": {
            "video_processor_type": "Qwen3VLVideoProcessor",
            "fps": 4,
            "min_frames": TEMPORAL,
        },
    }
    for name, kind in kinds.items():
        settings = {**kind, "processor_class": "Qwen3VLProcessor", **_PICTURES, **sizes}
        (folder / name).write_text(json.dumps(settings, indent=2) + "\n")
