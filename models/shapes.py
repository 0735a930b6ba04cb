"""Models of the published sizes with random weights: they cost what the real ones cost.

For benchmarks where no weights can be had. What such a model says means nothing.
"""

from __future__ import annotations

import importlib.resources
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import yaml
from transformers import AutoTokenizer, Qwen3VLConfig, Qwen3VLForConditionalGeneration

from core.errors import ConfigError, ModelLoadFailed
from models import quantizing
from models.compiling import compile_parts
from models.loading import embedded_folder
from models.quantizing import NONE
from models.qwen3_vl import Qwen3VL
from models.vlm import ModelInfo

NOTE = "Random weights: what it says means nothing."


@dataclass(frozen=True, slots=True)
class Shape:
    """The sizes of a model.

    Args:
        name: of the file that they stand in.
        text: of the language model, as transformers names them.
        vision: of the vision tower.
        tied: whether the words' embeddings are also the last layer.
    """

    name: str
    text: dict[str, Any]
    vision: dict[str, Any]
    tied: bool

    def config(self) -> Qwen3VLConfig:
        """As transformers wants it; a new one each time, for models write into theirs."""
        return Qwen3VLConfig(
            text_config=dict(self.text),
            vision_config=dict(self.vision),
            tie_word_embeddings=self.tied,
        )


class Drawn(Qwen3VL):
    """A model with random weights, which speaks until it is stopped: every id is a word."""

    @property
    def network(self) -> Any:
        """The model as transformers has it, to be counted and not to be changed."""
        return self._model

    def detokenize(self, ids: Sequence[int]) -> str:
        """A word for each id: no vocabulary has them all."""
        return "".join(f" {number}" for number in ids)


def shape_names() -> list[str]:
    """What there is in `configs/shapes`."""
    return sorted(path.stem for path in _folder().glob("*.yaml"))


def load_shape(name: str) -> Shape:
    """The shape of that name.

    Raises:
        ConfigError: naming those there are.
    """
    path = _folder() / f"{name}.yaml"
    if name not in shape_names():
        raise ConfigError(f"shape {name!r} is none of {', '.join(shape_names())}")
    return Shape(name, **yaml.safe_load(path.read_text(encoding="utf-8")))


def draw(
    shape: Shape,
    device: torch.device,
    dtype: torch.dtype,
    *,
    pixels: int,
    quantize: str = NONE,
    compiler: str | None = None,
) -> Drawn:
    """A model of that shape, drawn where it will run: the host never holds its weights.

    Its words are those of the embedded model, whose special tokens are Qwen's.

    Args:
        shape: what to build.
        device: where.
        dtype: of weights, keys and values.
        pixels: area that every picture is resized to.
        quantize: how the language model's weights are packed, as `quantizing.quantize` takes it.
        compiler: backend of torch's compiler for parts of it; None compiles none.

    Raises:
        ModelLoadFailed: if the device has no room for it, or it cannot be packed so here.
    """
    try:
        with torch.device(device), torch.random.fork_rng(_indices(device)):
            torch.manual_seed(0)
            model = Qwen3VLForConditionalGeneration._from_config(shape.config(), dtype=dtype)
    except torch.OutOfMemoryError:
        raise ModelLoadFailed(f"the weights of {shape.name} do not fit on {device}") from None
    model = model.eval().requires_grad_(False)
    info = ModelInfo(
        name=shape.name,
        architecture="qwen3_vl",
        parameters=sum(p.numel() for p in model.parameters()),
        device=str(device),
        dtype=str(dtype).removeprefix("torch."),
        note=NOTE,
    )
    quantizing.quantize(model, quantize, device)
    if compiler is not None:
        compile_parts(model, compiler)
    words = AutoTokenizer.from_pretrained(str(embedded_folder()))
    found = Drawn(model, words, info, min_pixels=pixels, max_pixels=pixels)
    found.stop_ids, found.silence = frozenset(), None  # answers end when they are as long as asked
    return found


def _indices(device: torch.device) -> list[int]:
    return [] if device.type != "cuda" else [device.index or 0]


def _folder() -> Path:
    return Path(str(importlib.resources.files("configs"))) / "shapes"
