"""Every pruning method and memory policy on the device, beside the same on the CPU."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import torch

from benchmarks.gpu.context import Context
from benchmarks.report import Row
from core.frames import Frame, Segment
from core.tokens import VisualTokens
from engine.side_by_side import Place, SideBySide
from memory.policies.policy import MemoryPolicy
from memory.policies.registry import POLICIES
from models.loading import load_model
from models.vlm import VideoLanguageModel
from pruning.none import Dense
from pruning.online import OnlinePruner
from pruning.policy import PruningPolicy
from pruning.registry import METHODS

MODEL: Final = "embedded"
QUESTION: Final = "What do you see?"
_SIDE: Final = 192
_PAGE: Final = 16


@dataclass(frozen=True, slots=True)
class Shown:
    """A segment and what was seen of it, on the CPU."""

    segment: Segment
    tokens: VisualTokens

    def on(self, device: torch.device) -> VisualTokens:
        """The tokens there."""
        t = self.tokens
        return replace(
            t,
            features=t.features.to(device),
            index=t.index.to(device),
            deepstack=tuple(level.to(device) for level in t.deepstack),
            attention=None if t.attention is None else t.attention.to(device),
            pixels=None if t.pixels is None else t.pixels.to(device),
        )


def pruning(context: Context) -> list[Row]:
    """Whether every method keeps on the device what it keeps on the CPU."""
    shown = _shown(load_model(MODEL, device="cpu"), 3 if context.dry else 8)
    methods = METHODS[:4] if context.dry else METHODS
    rows = []
    for method in methods:
        policy = method()
        row: Row = {"method": policy.method}
        try:
            here, there = (
                _kept(policy, shown, where) for where in (torch.device("cpu"), context.device)
            )
            row["same"] = here == there
        except Exception as error:
            row["failed"] = _why(error)
        rows.append(row)
    return rows


def memories(context: Context) -> list[Row]:
    """Whether every policy holds on the device what it holds on the CPU, and what it then says."""
    where = (torch.device("cpu"), context.device)
    models = [load_model(MODEL, device=str(device), dtype="float32") for device in where]
    shown = _shown(models[0], 3 if context.dry else 10)
    rows = []
    for kind in POLICIES[:3] if context.dry else POLICIES:
        policy = kind()
        row: Row = {"policy": policy.method}
        try:
            here, there = (_watched(model, policy, shown) for model in models)
            row |= {
                "held_tokens": there[0],
                "within_capacity": there[0] <= there[1],
                "same_tokens": np.array_equal(here[2], there[2]),
                "same_answer": here[3] == there[3],
            }
        except Exception as error:
            row["failed"] = _why(error)
        rows.append(row)
    return rows


@torch.inference_mode()
def _kept(policy: PruningPolicy, shown: list[Shown], device: torch.device) -> list[list[int]]:
    pruner = OnlinePruner(policy, max(1, shown[0].tokens.grid.per_step // 4))
    runs = [run for one in shown for run in pruner.push(one.on(device))]
    return [run.index.tolist() for run in [*runs, *pruner.flush()]]


def _watched(
    model: VideoLanguageModel, policy: MemoryPolicy, shown: list[Shown]
) -> tuple[int, int, np.ndarray, str]:
    """Tokens held and allowed, their positions in order, and an answer."""
    per_step = shown[0].tokens.grid.per_step + model.marker_tokens
    capacity = max(4 * per_step, 2 * _PAGE)
    place = Place("one", policy, capacity)
    with SideBySide(
        model, [place], Dense(), per_step, segment_steps=1, answers=1, page_size=_PAGE
    ) as memories:
        memories.open(["one"])
        for one in shown:
            memories.perceive(one.segment, {"one": one.on(model.device)})
        memory = memories.memory("one")
        held = memory.tokens.positions
        order = np.lexsort(held.T)
        text = memories.ask([("one", QUESTION)], 12)[0].text
        return memory.held, capacity, held[order], text


def _shown(model: VideoLanguageModel, count: int) -> list[Shown]:
    """A square that moves over noise, seen."""
    draw = np.random.default_rng(0)
    noise = draw.integers(0, 64, (_SIDE, _SIDE, 3), dtype=np.uint8)
    found = []
    for number in range(count):
        frames = []
        for n in range(model.frames_per_step):
            picture, at = noise.copy(), 8 * (number * model.frames_per_step + n) % (_SIDE - 48)
            picture[40:88, at : at + 48] = (220, 40, 40)
            pts = (number * model.frames_per_step + n) / 4
            frames.append(Frame(pts, pts, picture))
        segment = Segment(number, tuple(frames))
        found.append(Shown(segment, model.encode([segment], attention=True, pixels=True)[0]))
    return found


def _why(error: Exception) -> str:
    """In a line; an error after which the device cannot be relied on goes on."""
    if isinstance(error, torch.AcceleratorError):
        raise error
    return f"{type(error).__name__}: {error}"[:200]
