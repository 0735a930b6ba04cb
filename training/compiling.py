"""Compiles what the phases call of a model, where there is a device that gains from it."""

from __future__ import annotations

from typing import Final

import torch
from transformers import Qwen3VLForConditionalGeneration

BACKEND: Final = "inductor"


def compiled(
    model: Qwen3VLForConditionalGeneration, wanted: bool, device: torch.device
) -> tuple[bool, str]:
    """Compile the calls of a model in place if it is wanted and `device` is a CUDA device.

    On CPU compiling costs minutes that a small model's steps never pay back.

    Returns:
        whether it was done, and a line for the log that says so and why.
    """
    if not wanted:
        return False, "the model's calls are not compiled: compile is false"
    if device.type != "cuda":
        return False, f"the model's calls are not compiled: compile needs CUDA, this is {device}"
    compile_calls(model)
    return True, "the model's calls are compiled: the first steps of each phase take minutes"


def compile_calls(model: Qwen3VLForConditionalGeneration, backend: str = BACKEND) -> None:
    """Have the eye and the language model run compiled code from their next call on.

    Sizes differ from batch to batch and stay dynamic. The modules themselves are not wrapped, so
    names in `state_dict` stay, and a copy of the model runs as if nothing had been compiled.

    Args:
        model: whose calls.
        backend: of `torch.compile`.
    """
    for part in (model.model.visual, model.model.language_model):
        part.compile(dynamic=True, backend=backend)
