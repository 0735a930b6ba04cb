"""Phase one: the vision tower alone learns what covers each visual token, and where the token is.

What: colour, shape and motion. Where: row and column, which nothing else would make it keep and
without which the language model cannot say where things are. Linear heads on the merger's output
and on the DeepStack tap give the dense signal that answers alone would give only after hours. At
the end what they read is folded into the tokens, and the heads are thrown away.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
import torch.nn.functional as F
from numpy.random import Generator
from numpy.typing import NDArray
from torch import Tensor, nn
from transformers import Qwen3VLForConditionalGeneration

from models.preprocess import patchify
from training.architecture import MERGE, PATCH, PER_STEP, PICTURE, SIDE, TEMPORAL
from training.scenes import FRAME_GAP, cover, draw, training_world
from worlds.script import ACT_SECONDS, Thing
from worlds.vocabulary import COLOURS, DIRECTIONS, SHAPES
from worlds.world import World

_IGNORE: Final = -100
_EMPTY_WEIGHT: Final = 0.15
_CLASSES: Final[dict[str, list[object]]] = {
    "colour": [*COLOURS],
    "shape": [*SHAPES],
    "motion": ["still", *DIRECTIONS],
    "row": [*range(SIDE)],
    "column": [*range(SIDE)],
}
# Size of the axes of what the heads read, when the eye hands over.
_READ: Final = {"colour": 0.4, "shape": 0.8, "motion": 0.4, "row": 1.2, "column": 1.2}
_TAP: Final = 0.25  # of all that, on a DeepStack tap: it reads shapes worse and would blur them
_OLD: Final = 1.0  # norm of the old features beside it
_MOMENTS: Final = 8  # drawn from each world


@dataclass(frozen=True, slots=True)
class Glances:
    """Temporal steps with what covers each of their visual tokens."""

    frames: Tensor  # uint8 [steps * 2, 96, 96, 3]
    labels: Tensor  # int64 [5, steps * 36], by `_CLASSES`; 0 nothing, -100 not judged


def glances(rng: Generator, steps: int) -> Glances:
    """A batch of unrelated temporal steps."""
    frames: list[NDArray[np.uint8]] = []
    labels: list[NDArray[np.int64]] = []
    while len(labels) < steps:
        world = training_world(rng)
        large = rng.random() < 0.3
        for t in rng.uniform(1, ACT_SECONDS, _MOMENTS):
            gap = FRAME_GAP * rng.uniform(0.85, 1.15)
            frames += [draw(world, t, large), draw(world, t + gap, large)]
            labels.append(_labels(world, t, t + gap))
    return Glances(
        torch.from_numpy(np.stack(frames[: 2 * steps])),
        torch.from_numpy(np.concatenate(labels[:steps], axis=1)),
    )


def _labels(world: World, first: float, second: float) -> NDArray[np.int64]:
    things = world.things(second)
    owner = cover(things, (first + second) / 2, SIDE)
    labels = np.zeros((len(_CLASSES), PER_STEP), dtype=np.int64)
    for number, thing in enumerate(things):
        known = thing.exists(first)
        labels[:3, owner == number] = _classes(thing, known)
    for thing in world.things(first):
        if not thing.exists(second):
            labels[:3, cover([thing], first, SIDE) != -1] = _IGNORE
    labels[:3, owner == -2] = _IGNORE
    labels[3:] = np.arange(PER_STEP) // SIDE + 1, np.arange(PER_STEP) % SIDE + 1
    return labels


def _classes(thing: Thing, moved: bool) -> NDArray[np.int64]:
    motion = _CLASSES["motion"].index(thing.heading) + 1 if moved else _IGNORE
    colour, shape = list(COLOURS).index(thing.colour) + 1, list(SHAPES).index(thing.shape) + 1
    return np.array([[colour], [shape], [motion]])


def see(model: Qwen3VLForConditionalGeneration, frames: Tensor) -> tuple[Tensor, list[Tensor]]:
    """Encode temporal steps.

    Args:
        model: whose vision tower looks.
        frames: uint8 [steps * 2, h, w, 3].

    Returns:
        visual tokens [steps, 36, d], and as many rows of every DeepStack tap.
    """
    size = (PICTURE, PICTURE)
    pixels, grid = patchify(frames.numpy(), size, patch=PATCH, merge=MERGE, temporal=TEMPORAL)
    seen = model.model.visual(pixels, grid_thw=grid)
    taps = [tap.unflatten(0, (-1, PER_STEP)) for tap in seen.deepstack_features]
    return seen.pooler_output.unflatten(0, (-1, PER_STEP)), taps


class EyePhase(nn.Module):
    """The eye's phase: its throw-away heads, its loss and its measure.

    Args:
        model: whose vision tower learns.
        batch: temporal steps per batch.
    """

    name = "eye"

    def __init__(self, model: Qwen3VLForConditionalGeneration, batch: int) -> None:
        super().__init__()
        self.model = model
        self.batch = batch
        width = model.config.text_config.hidden_size
        classes = sum(1 + len(names) for names in _CLASSES.values())
        self.heads = nn.ModuleList([nn.Linear(width, classes) for _ in range(2)])

    @torch.no_grad()
    def hand_over(self, seed: int) -> None:
        """Write what the heads read back into the tokens, evenly, and at the size of words.

        The features hold colour a hundred times larger than place. Each head's logits, brought to
        a chosen size, are laid on axes of their own beside the old features. All of it is linear,
        so it goes into the mergers' last layer and the architecture stays as it is.

        Args:
            seed: of the axes, and of the pictures that sizes are measured on.
        """
        width: int = self.model.config.text_config.hidden_size
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            axes = torch.linalg.qr(torch.randn(width, len(self._sizes()))).Q
        batch = glances(np.random.default_rng([seed, 4]), 64)
        features, taps = see(self.model, batch.frames)
        visual = self.model.model.visual
        mergers = (visual.merger, *visual.deepstack_merger_list)
        shares = (1.0, *[_TAP] * len(taps))
        for merger, head, rows, share in zip(
            mergers, self.heads, (features, *taps), shares, strict=True
        ):
            logits = head(rows.flatten(0, 1))
            mean, size = logits.mean(0), logits.std(0)
            old = _OLD / rows.norm(dim=-1).mean() * torch.eye(width)
            lay = axes * (self._sizes() / size)  # [width, classes]
            turn = share * (old + lay @ head.weight)
            last = merger.linear_fc2
            last.bias.copy_(turn @ last.bias + share * lay @ (head.bias - mean))
            last.weight.copy_(turn @ last.weight)

    @staticmethod
    def _sizes() -> Tensor:
        return torch.cat(
            [torch.full((1 + len(names),), _READ[name]) for name, names in _CLASSES.items()]
        )

    def groups(self) -> list[dict[str, object]]:
        """Parameters by learning rate factor."""
        return [{"params": [*self.model.model.visual.parameters(), *self.heads.parameters()]}]

    def data(self, seed: int) -> Iterator[Glances]:
        """Batches without end, from `seed`."""
        rng = np.random.default_rng([seed, 1])
        while True:
            yield glances(rng, self.batch)

    def loss(self, batch: Glances) -> tuple[Tensor, dict[str, float]]:
        """The loss of one batch, and accuracies on occupied tokens."""
        features, taps = see(self.model, batch.frames)
        total = torch.zeros(())
        measures: dict[str, float] = {}
        for head, rows in zip(self.heads, (features, taps[0]), strict=True):
            logits = head(rows.flatten(0, 1)).float()
            start = 0
            for target, (name, names) in zip(batch.labels, _CLASSES.items(), strict=True):
                part = logits[:, start : start + len(names) + 1]
                start += len(names) + 1
                total = total + _balanced(part, target)
                busy = target > 0
                measures.setdefault(
                    name, float((part[busy].argmax(1) == target[busy]).float().mean())
                )
        return total, measures


def _balanced(logits: Tensor, target: Tensor) -> Tensor:
    weight = torch.ones(logits.shape[1])
    weight[0] = _EMPTY_WEIGHT
    return F.cross_entropy(logits, target, weight, ignore_index=_IGNORE)
