"""What each policy exists for must survive it, where one that keeps random tokens loses it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from memory.observation import Observed
from memory.policies.hour_llava import HourLlava
from memory.policies.policy import Contents, MemoryPolicy, Retained
from memory.policies.ranking import best
from memory.policies.registry import POLICIES
from memory.policies.sink_window import RecentSeconds, RecentSteps, SinkWindow
from memory.policies.video_scan import VideoScanCarriers
from memory.table import TEXT, TokenTable
from tests.memory.policies.running import HEADS, ROTATION, SHAPE, Run

torch.set_num_threads(1)

STEPS, CELL, CAPACITY = 30, 6, 130
WINDOWS = (SinkWindow, RecentSteps, RecentSeconds)


@dataclass(frozen=True)
class Randomly(MemoryPolicy):
    """The negative control: as many as the others keep, chosen by chance."""

    seed: int = 0
    method: Literal["randomly"] = "randomly"
    per_head: ClassVar[bool] = True

    def retain(self, contents: Contents, incoming: TokenTable, limit: int) -> Retained | None:
        if int(contents.filled.sum(-1).max()) <= limit:
            return None
        generator = torch.Generator().manual_seed(self.seed + len(contents.tokens))
        scores = torch.rand(contents.rows.shape, generator=generator)
        count = torch.full(contents.rows.shape[:2], limit - int(contents.sink.sum(-1).max()))
        return Retained(best(scores, contents.filled & ~contents.sink, count) | contents.sink)


class Still(Run):
    """Nothing changes but for one place in one step, for which every question looks."""

    def __init__(self, policy: MemoryPolicy, planted: int, seed: int) -> None:
        self.planted: tuple[int, ...] | None = None
        self.when = planted
        super().__init__(policy, capacity=CAPACITY, seed=seed)
        scene = torch.randn(17, SHAPE.kv_heads, SHAPE.head_dim, generator=self.torch)
        scene = F.normalize(scene, dim=-1) * SHAPE.head_dim**0.5  # or loud ones win
        self.special = -scene[1 + CELL]
        for step in range(STEPS):
            keys = scene.clone()
            if step == planted:
                keys[1 + CELL] = self.special
                self.shown = keys[1:]
            base = self.memory.next_position
            self.watch(list(range(16)), keys=keys, values=scene)
            if step == planted:
                self.planted = (base + 1, base + 1 + CELL // 4, base + 1 + CELL % 4)

    def observed(self) -> Observed:
        if self.planted is None:
            return super().observed()
        at = torch.tensor([self.planted])
        rotated = ROTATION.put(self.special[:, None], at)[:, 0]  # [kv_heads, d]
        query = 4 * rotated.repeat_interleave(HEADS // SHAPE.kv_heads, 0)
        seen = Observed(6)
        for layer in range(SHAPE.layers):
            seen.note(layer, query[None])
        return seen

    def likeness(self, places: int) -> torch.Tensor:
        """The planted place is seen to the last layer, all else in the first only."""
        cosines = torch.full((SHAPE.layers, places), 0.1)
        cosines[0] = 1.0
        if places and self.step == self.when:
            cosines[:, CELL] = 0.9
        return cosines

    def survives(self) -> bool:
        """Whether every head of the deepest layer holds it, or a carrier that it is part of."""
        assert self.planted is not None
        if isinstance(self.memory.policy, VideoScanCarriers):
            return self.carried()
        return all(self.planted in self.held(SHAPE.layers - 1, h) for h in range(SHAPE.kv_heads))

    def carried(self) -> bool:
        """Whether what every head of the deepest layer holds of the step has the step's mean."""
        tokens, view = self.memory.tokens, self.memory.view()
        own = (tokens.group == self.when) & (tokens.kind != TEXT)
        keys = self.pool.keys.flatten(1, 2)[-1, view.slots].transpose(0, 1)  # [kv_heads, n, d]
        wanted = self.shown.mean(0)  # [kv_heads, d]
        for head in range(SHAPE.kv_heads):
            rows = self.memory.rows[-1, min(head, self.memory.rows.shape[1] - 1)].numpy()
            slots = np.flatnonzero((rows >= 0) & own[rows])
            if not len(slots):
                return False
            at = torch.from_numpy(tokens.positions[rows[slots]])
            bare = ROTATION.take(keys[head, torch.from_numpy(slots)], at)
            if F.cosine_similarity(bare.mean(0), wanted[head], dim=0) < 0.99:
                return False
        return True


def planted_in(kind: type[MemoryPolicy]) -> int:
    """A window owes us the last but one step only; the others something from long ago."""
    if kind is HourLlava:
        return 8  # the steps whose number divides by 4 take turns, and this one shows the cell
    return STEPS - 2 if kind in WINDOWS else 2


@pytest.mark.parametrize("kind", POLICIES, ids=lambda kind: kind.__name__)
def test_what_a_policy_exists_for_survives_it_and_not_chance(kind):
    step = planted_in(kind)
    assert all(Still(kind(), step, seed).survives() for seed in range(2))
    chances = [Still(Randomly(seed), step, seed) for seed in range(3)]
    by_chance = [one.carried() if kind is VideoScanCarriers else one.survives() for one in chances]
    assert not all(by_chance)
    if kind not in WINDOWS:
        assert not any(by_chance)


@pytest.mark.parametrize("kind", WINDOWS, ids=lambda kind: kind.__name__)
def test_a_window_loses_what_is_long_ago(kind):
    assert not Still(kind(), 2, 0).survives()
