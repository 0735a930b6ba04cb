"""Weights in fewer bits, through torchao, so that a model fits a smaller card.

Only the language model's matrices: they are nearly all of it. The vision tower, embeddings and
norms stay as they are, and so do all numbers that are computed with. Answers change a little.
"""

from __future__ import annotations

import importlib
import importlib.metadata
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

import torch
from torch import nn

from core.errors import ModelLoadFailed

NONE: Final = "none"
# By name: torchao's way of doing it. All keep weights alone; activations stay as they are.
WAYS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "int8": "Int8WeightOnlyConfig",
        "int4": "Int4WeightOnlyConfig",
        "fp8": "Float8WeightOnlyConfig",
    }
)
EXTRA: Final = "pip install 'lookout-live[quantize]'"


def quantize(model: Any, name: str, device: torch.device) -> None:
    """Replace the weights of a Qwen3-VL language model, in place, one after the other.

    The whole model is on the device afterwards as far as it was replaced: where it comes from the
    host, the device never holds more than one matrix as it was.

    Args:
        model: as transformers loads it.
        name: `none`, or one of `WAYS`.
        device: where the model will run.

    Raises:
        ModelLoadFailed: if there is no such way, what it needs is not installed, or none of the
            model's matrices can be packed so.
    """
    if name == NONE:
        return
    if name not in WAYS:
        raise ModelLoadFailed(f"model.quantize {name} is none of {', '.join([NONE, *WAYS])}")
    try:
        torchao = importlib.import_module("torchao.quantization")
    except ImportError:
        raise ModelLoadFailed(f"model.quantize {name} needs torchao: {EXTRA}") from None
    try:
        for part in _parts(model):
            torchao.quantize_(part, getattr(torchao, WAYS[name])(), device=device)
    except (
        ImportError,
        AttributeError,
        NotImplementedError,
        AssertionError,
        RuntimeError,
    ) as error:
        if isinstance(error, torch.OutOfMemoryError):
            raise
        why = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        version = importlib.metadata.version("torchao")
        raise ModelLoadFailed(
            f"model.quantize {name} cannot be done here on {device} by torchao {version}: {why}"
        ) from None
    if not any(map(_packed, model.parameters())):  # torchao passes over what does not suit it
        raise ModelLoadFailed(f"model.quantize {name}: it packs none of the matrices of this model")


def stored_bytes(model: nn.Module) -> int:
    """Bytes of all weights as they are held; one that is packed says it has those of the whole."""
    return sum(_stored(weight) for weight in model.parameters())


def _stored(weight: Any) -> int:
    if not _packed(weight):
        return int(weight.nbytes)
    names, _ = weight.__tensor_flatten__()
    return sum(_stored(getattr(weight, name)) for name in names)


def _packed(weight: Any) -> bool:
    return hasattr(weight, "__tensor_flatten__")


def _parts(model: Any) -> list[nn.Module]:
    """The decoder layers, and the last one where it is not also the embeddings."""
    parts: list[nn.Module] = [model.model.language_model.layers]
    if model.lm_head.weight is not model.get_input_embeddings().weight:
        parts.append(nn.ModuleList([model.lm_head]))  # it is replaced inside, not itself
    return parts
