"""The model that rows measure: one at a time, as drawn, compiled or with its weights packed."""

from __future__ import annotations

import gc
from dataclasses import dataclass, field

import torch

from models.quantizing import NONE
from models.shapes import Drawn, draw, load_shape


@dataclass(frozen=True, slots=True)
class Variant:
    """How a model's weights are held and run.

    Args:
        quantize: as `model.quantize`.
        compiled: as `model.compiled`.
    """

    quantize: str = NONE
    compiled: bool = False


PLAIN = Variant()


@dataclass(slots=True)
class Models:
    """Draws models; the one before makes way.

    Args:
        device: where they run.
        dtype: of weights and memory.
        pixels: area of the pictures that they see.
        compiler: backend of torch's compiler for those that are compiled.
    """

    device: torch.device
    dtype: torch.dtype
    pixels: int
    compiler: str
    _name: tuple[str, Variant] | None = field(default=None, init=False)
    _model: Drawn | None = field(default=None, init=False)

    def get(self, shape: str, variant: Variant = PLAIN) -> Drawn:
        """The model of that shape.

        Raises:
            ModelLoadFailed: if it does not fit, or cannot be packed so here.
        """
        if self._model is None or self._name != (shape, variant):
            self.forget()
            self._model = draw(
                load_shape(shape), self.device, self.dtype,
                pixels=self.pixels, quantize=variant.quantize,
                compiler=self.compiler if variant.compiled else None,
            )  # fmt: skip
            self._name = (shape, variant)
        return self._model

    def forget(self) -> None:
        """Give the model's memory back, and what was compiled for it."""
        self._model = None
        self.tidy()
        torch.compiler.reset()

    def tidy(self) -> None:
        """Give back what nobody uses any more."""
        gc.collect()
        if self.device.type == "cuda":
            torch.cuda.empty_cache()
