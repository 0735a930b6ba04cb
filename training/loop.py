"""One time-boxed training loop for all phases: schedule, checkpoint, resume, curve."""

from __future__ import annotations

import contextlib
import ctypes
import gc
import json
import math
import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol

import cv2
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, IterableDataset

from training.film import moved

CPU: Final = torch.device("cpu")
_SAVE_EVERY: Final = 60.0  # seconds
_LOG_EVERY: Final = 20  # steps
_FLOOR: Final = 0.03  # of the peak learning rate, at the end


class Phase(Protocol):
    """What the loop trains: data, a loss, and parameters by learning rate."""

    name: str

    def groups(self) -> list[dict[str, Any]]:
        """Parameter groups; `factor` scales the learning rate of a group (default 1)."""

    def data(self, seed: int) -> Iterator[Any]:
        """Batches without end."""

    def loss(self, batch: Any) -> tuple[Tensor, dict[str, float]]:
        """The loss of one batch and what to log about it."""

    def state_dict(self) -> dict[str, Tensor]:
        """Everything the phase trains."""

    def load_state_dict(self, state: dict[str, Tensor]) -> Any:
        """The inverse of `state_dict`."""


@dataclass(frozen=True, slots=True)
class Budget:
    """How long and how fast a phase learns."""

    minutes: float
    rate: float  # peak learning rate
    warmup: int = 40  # steps
    most_steps: int | None = None  # ends earlier than the clock; for dry runs


class _Endless(IterableDataset[Any]):
    """A phase's batches as a dataset, so that a worker process can make them."""

    def __init__(self, phase: Phase, seed: int) -> None:
        self._batches = phase.data
        self._seed = seed

    def __iter__(self) -> Iterator[Any]:
        cv2.setNumThreads(1)
        torch.set_num_threads(1)
        return self._batches(self._seed)


class Trainer:
    """Runs one phase until its time is over.

    Args:
        phase: what to train; also a `torch.nn.Module`.
        budget: time and learning rate.
        folder: where the checkpoint and the log are kept.
        seed: of the data.
        workers: processes that make batches; 0 makes them here.
        device: that learns; the phase is there already.
    """

    def __init__(
        self,
        phase: Phase,
        budget: Budget,
        folder: Path,
        seed: int,
        workers: int = 1,
        device: torch.device = CPU,
    ) -> None:
        self.phase, self.budget, self.seed = phase, budget, seed
        self._file = folder / f"{phase.name}.pt"
        self._log = folder / f"{phase.name}.jsonl"
        self._workers, self._device = workers, device
        self._groups = [
            group
            for wide in phase.groups()
            for group in _by_decay(wide["params"], wide.get("factor", 1.0))
        ]
        self._optimiser = torch.optim.AdamW(
            self._groups, lr=budget.rate, betas=(0.9, 0.97), eps=1e-8
        )
        self.step, self.spent = 0, 0.0

    def resume(self) -> bool:
        """Take up the saved state, if there is one; says whether there was."""
        if not self._file.exists():
            return False
        saved = torch.load(self._file, map_location=self._device, weights_only=True)
        self.phase.load_state_dict(saved["phase"])
        self._optimiser.load_state_dict(saved["optimiser"])
        self.step, self.spent = saved["step"], saved["spent"]
        return True

    def clear(self) -> None:
        """Forget the log of an earlier run."""
        self._log.unlink(missing_ok=True)

    def facts(self) -> dict[str, Any]:
        """What the phase has cost and where it stands."""
        lines = self._log.read_text().splitlines() if self._log.exists() else []
        rows = [json.loads(line) for line in lines]
        ends = [row["step"] for row in rows]
        asked = (
            row.get("asked", 0.0) * (end - before)
            for row, before, end in zip(rows, [0, *ends], ends, strict=False)
        )
        return {
            "steps": self.step,
            "minutes": round(self.spent / 60, 2),
            "questions": round(sum(asked)),
            "last": rows[-1] if rows else {},
        }

    @property
    def done(self) -> bool:
        """Whether the phase has used up its time."""
        steps = self.budget.most_steps
        return self.spent >= 60 * self.budget.minutes or (steps is not None and self.step >= steps)

    def run(self) -> None:
        """Train until done; saves about once a minute and at the end."""
        if self.done:
            return
        _give_back()
        batches = iter(
            DataLoader(
                _Endless(self.phase, self.seed + self.step),
                batch_size=None,
                num_workers=self._workers,
                prefetch_factor=3 if self._workers else None,
            )
        )
        sums: dict[str, list[float]] = defaultdict(list)
        last = saved = time.monotonic()
        while not self.done:
            measures = self._train_on(next(batches))
            now = time.monotonic()
            self.step, self.spent, last = self.step + 1, self.spent + now - last, now
            for key, value in measures.items():
                if not math.isnan(value):
                    sums[key].append(value)
            if self.step % _LOG_EVERY == 0 or self.done:
                self._write(sums)
            if now - saved > _SAVE_EVERY or self.done:
                self.save()
                saved = now

    def _train_on(self, batch: Any) -> dict[str, float]:
        scale = self._scale()
        for group in self._optimiser.param_groups:
            group["lr"] = self.budget.rate * group["factor"] * scale
        with torch.autocast(self._device.type, torch.bfloat16):
            loss, measures = self.phase.loss(moved(batch, self._device))
        if not bool(torch.isfinite(loss)):
            raise ArithmeticError(f"{self.phase.name}: the loss of step {self.step} is {loss}")
        loss.backward()  # type: ignore[no-untyped-call]
        parameters = [p for group in self._optimiser.param_groups for p in group["params"]]
        nn.utils.clip_grad_norm_(parameters, 1.0)
        self._optimiser.step()
        self._optimiser.zero_grad()
        return {"loss": float(loss.detach()), **measures}

    def _scale(self) -> float:
        """Warm-up by steps, then a cosine over the time the phase has."""
        steps = self.budget.most_steps
        gone = self.spent / (60 * self.budget.minutes)
        if steps is not None:
            gone = max(gone, self.step / steps)
        cosine = 0.5 * (1 + math.cos(math.pi * min(1.0, gone)))
        return min(1.0, (self.step + 1) / self.budget.warmup) * (_FLOOR + (1 - _FLOOR) * cosine)

    def _write(self, sums: dict[str, list[float]]) -> None:
        row: dict[str, Any] = {"step": self.step, "seconds": round(self.spent, 1)}
        row |= {key: round(sum(values) / len(values), 4) for key, values in sums.items()}
        sums.clear()
        with self._log.open("a") as log:
            log.write(json.dumps(row) + "\n")
        print(f"{self.phase.name:>9} ", " ".join(f"{k} {v}" for k, v in row.items()), flush=True)

    def save(self) -> None:
        """Write the checkpoint; an interrupted write leaves the old one."""
        fresh = self._file.with_suffix(".new")
        torch.save(
            {
                "phase": self.phase.state_dict(),
                "optimiser": self._optimiser.state_dict(),
                "step": self.step,
                "spent": self.spent,
            },
            fresh,
        )
        fresh.replace(self._file)


def _give_back() -> None:
    """Give freed memory back to the system: a forked worker would hold a second copy of it."""
    gc.collect()
    with contextlib.suppress(OSError, AttributeError):  # only glibc keeps it, and knows the call
        ctypes.CDLL(None).malloc_trim(0)


def _by_decay(parameters: list[nn.Parameter], factor: float) -> list[dict[str, Any]]:
    """Matrices decay; biases, norms and everything else of one dimension do not."""
    matrices = [p for p in parameters if p.ndim > 1]
    vectors = [p for p in parameters if p.ndim <= 1]
    groups = [(matrices, 0.03), (vectors, 0.0)]
    return [{"params": ps, "weight_decay": d, "factor": factor} for ps, d in groups if ps]
