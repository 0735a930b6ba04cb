"""What all rows of one process share: the device, the model in use, the reader that works."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

import torch

from benchmarks.gpu.models import PLAIN, Models, Variant
from benchmarks.gpu.rig import Load, Rig
from benchmarks.gpu.scale import Scale
from memory.pool import KVShape
from memory.readers.choice import AUTO, choose
from memory.readers.reader import Demand, Reader
from pruning.none import Dense
from pruning.policy import PruningPolicy
from pruning.vcast import VCast


@dataclass(slots=True)
class Context:
    """Shared by the rows of a worker, one at a time.

    Args:
        scale: how large they are.
        device: where they run.
        out: folder for what is more than a row, a profile for one.
        reader: name of the reader, or `auto`.
        dry: whether it is only tried.
    """

    scale: Scale
    device: torch.device
    out: Path
    reader: str = AUTO
    dry: bool = False
    models: Models = field(init=False)

    def __post_init__(self) -> None:
        """No model is drawn yet."""
        side = self.scale.picture
        self.models = Models(self.device, self.dtype, side * side, self.scale.compiler)

    @property
    def dtype(self) -> torch.dtype:
        """Of weights and memory: the device's best."""
        return torch.float32 if self.device.type == "cpu" else torch.bfloat16

    def brief(self) -> Context:
        """The same for fewer and shorter measurements, with the same models."""
        found = replace(self, scale=self.scale.brief())
        found.models = self.models
        return found

    def rig(
        self,
        shape: str,
        *,
        cameras: int = 1,
        answers: int = 1,
        capacity: int | None = None,
        share: float = 0.25,
        prefill_tokens: int | None = None,
        graphs: bool = True,
        variant: Variant = PLAIN,
    ) -> Rig:
        """An engine of that shape.

        Args:
            shape: of the model.
            cameras: most of them.
            answers: most given at once.
            capacity: tokens of each memory; None: the usual.
            share: of the visual tokens that is kept.
            prefill_tokens: of a step of the engine; None: the usual.
            graphs: whether forwards of single words are recorded.
            variant: of the model.

        Raises:
            ModelLoadFailed: if there is no such model here.
        """
        model, scale = self.models.get(shape, variant), self.scale
        dense = model.step_tokens(scale.picture, scale.picture)
        policy: PruningPolicy = Dense() if share >= 1 else VCast()
        load = Load(
            cameras=cameras,
            answers=answers,
            capacity=capacity or scale.capacity,
            policy=policy,
            budget=max(1, round(share * dense)),
            segment_steps=scale.segment_steps,
            page=scale.page,
            prefill_tokens=prefill_tokens or scale.prefill_tokens,
            encode_tokens=scale.encode_tokens,
            answer_tokens=max(scale.answer_tokens, 16),
            step_ms=scale.step_ms,
            graphs=graphs,
        )
        return Rig(model, load, self.attention(model.shape), scale.picture)

    def attention(self, shape: KVShape) -> Reader:
        """The reader of that name, or the first that can.

        Raises:
            ConfigError: if it cannot be used here.
        """
        return choose(self.reader, Demand(self.device, shape, self.scale.page)).reader()

    def allocated(self) -> int:
        """Bytes of tensors on the device now; 0 on a CPU, which does not count them."""
        return torch.cuda.memory_allocated(self.device) if self.device.type == "cuda" else 0

    def synchronize(self) -> None:
        """Wait until the device has done everything."""
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)
