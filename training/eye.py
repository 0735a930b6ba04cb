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

from training.architecture import MERGE, PER_STEP, SIDE, TEMPORAL, picture_of
from training.film import Darkroom, Film, Shot
from training.scenes import cover, frame_gap, training_world
from worlds.script import ACT_SECONDS
from worlds.things import Look, Thing
from worlds.vocabulary import COLOURS, HEADINGS, HELPERS, OBJECTS, SHAPES, SIGN, STATEFUL
from worlds.world import World

_IGNORE: Final = -100
_EMPTY_WEIGHT: Final = 0.15
_NOUNS: Final = [*SHAPES, *OBJECTS, *STATEFUL, *HELPERS]
_DIGITS: Final = [*"0123456789"]
_CLASSES: Final[dict[str, list[object]]] = {
    "colour": [*COLOURS],
    "motion": ["still", *HEADINGS, "other"],
    "row": [*range(SIDE)],
    "column": [*range(SIDE)],
    "tens": [*_DIGITS, "none"],
    "ones": [*_DIGITS],
    "state": ["open", "closed", "on", "off"],
    "noun": [*_NOUNS],
}
_WHERE: Final = ("row", "column")  # of the token; the rest is about what covers it
# Size of the axes of what the heads read, when the eye hands over.
_READ: Final = {
    "colour": 0.4,
    "motion": 0.4,
    "row": 1.2,
    "column": 1.2,
    "tens": 0.5,
    "ones": 0.5,
    "state": 0.5,
    "noun": 0.8,
}
_TAP: Final = 0.25  # of all that, on a DeepStack tap: it reads nouns worse and would blur them
_OLD: Final = 1.0  # norm of the old features beside it
_MOMENTS: Final = 16  # drawn from each world


@dataclass(frozen=True, slots=True)
class Glances:
    """Temporal steps with what covers each of their visual tokens."""

    film: Film  # steps * 2 pictures
    labels: Tensor  # int64 [classes, steps * 36], by `_CLASSES`; 0 nothing, -100 not judged


def glances(
    rng: Generator, steps: int, moods: dict[str, float], size: int, deferred: bool = False
) -> Glances:
    """A batch of unrelated temporal steps.

    Args:
        rng: draws.
        steps: in the batch.
        moods: of the worlds looked at, and how often each.
        size: pixels per side of a frame.
        deferred: leave the drawing to the device that learns.
    """
    shots: list[Shot] = []
    labels: list[NDArray[np.int64]] = []
    while len(labels) < steps:
        world = training_world(rng, moods)
        large = rng.random() < 0.3
        for t in rng.uniform(1, ACT_SECONDS - 1, _MOMENTS):
            gap = frame_gap(rng) * rng.uniform(0.85, 1.15)
            shots += [Shot(world, t, large), Shot(world, t + gap, large)]
            labels.append(_labels(world, t, t + gap))
    return Glances(
        Film.of(shots[: 2 * steps], size, deferred),
        torch.from_numpy(np.concatenate(labels[:steps], axis=1)),
    )


def _labels(world: World, first: float, second: float) -> NDArray[np.int64]:
    things = world.things(second)
    owner = cover(things, (first + second) / 2, SIDE)
    labels = {name: np.zeros(PER_STEP, dtype=np.int64) for name in _CLASSES}
    for number, thing in enumerate(things):
        for name, value in _classes(thing, first, second).items():
            labels[name][owner == number] = value
    gone = [thing for thing in world.things(first) if not thing.exists(second)]
    doubtful = (owner == -2) | (cover(gone, first, SIDE) != -1)
    for name in set(_CLASSES) - set(_WHERE):
        labels[name][doubtful] = _IGNORE
    places = np.arange(PER_STEP)
    labels["row"], labels["column"] = places // SIDE + 1, places % SIDE + 1
    return np.stack([labels[name] for name in _CLASSES])


def _classes(thing: Thing, first: float, second: float) -> dict[str, int]:
    """The class of a thing under each head, from 1; 0 is none, -100 in doubt."""
    look = thing.look(second)
    if not thing.exists(first) or thing.look(first) != look:
        motion: int = _IGNORE
    else:
        word = thing.motion(first)
        known = _CLASSES["motion"]
        motion = known.index(word if word in known else "other") + 1
    return {"motion": motion, **_looks(look)}


def _looks(look: Look) -> dict[str, int]:
    number = look.state.rjust(2) if look.noun == SIGN else ""
    return {
        "colour": _place("colour", look.colour),
        "noun": _place("noun", look.noun),
        "state": _place("state", look.state),
        "tens": _place("tens", number[0] if number.strip() != number[1:] else "none")
        if number
        else 0,
        "ones": _place("ones", number[1]) if number else 0,
    }


def _place(name: str, word: str) -> int:
    known = _CLASSES[name]
    return known.index(word) + 1 if word in known else 0


def see(model: Qwen3VLForConditionalGeneration, frames: Tensor) -> tuple[Tensor, list[Tensor]]:
    """Encode temporal steps.

    Args:
        model: whose vision tower looks.
        frames: uint8 [steps * 2, h, w, 3].

    Returns:
        visual tokens [steps, 36, d], and as many rows of every DeepStack tap.
    """
    pixels = cut(frames, model.config.vision_config.patch_size)
    steps, side = len(frames) // TEMPORAL, SIDE * MERGE
    seen = model.model.visual(
        pixels, grid_thw=torch.tensor([[steps, side, side]], device=pixels.device)
    )
    taps = [tap.unflatten(0, (-1, PER_STEP)) for tap in seen.deepstack_features]
    return seen.pooler_output.unflatten(0, (-1, PER_STEP)), taps


def cut(frames: Tensor, patch: int) -> Tensor:
    """Patches as `models.preprocess.patchify` makes them of frames of the right size.

    Args:
        frames: uint8 [steps * 2, side * 2 * patch, side * 2 * patch, 3], on any device.
        patch: pixels per side.

    Returns:
        float32 [steps * patches, 3 * 2 * patch * patch].
    """
    x = (frames.permute(0, 3, 1, 2).float() - 127.5) / 127.5
    x = x.reshape(-1, TEMPORAL, 3, SIDE, MERGE, patch, SIDE, MERGE, patch)
    x = x.permute(0, 3, 6, 4, 7, 2, 1, 5, 8)
    return x.reshape(-1, 3 * TEMPORAL * patch * patch)


class EyePhase(nn.Module):
    """The eye's phase: its throw-away heads, its loss and its measure.

    Args:
        model: whose vision tower learns.
        batch: temporal steps per batch.
        moods: of the worlds it looks at, and how often each.
        room: turns films into pixels on the device that learns.
    """

    name = "eye"

    def __init__(
        self,
        model: Qwen3VLForConditionalGeneration,
        batch: int,
        moods: dict[str, float],
        room: Darkroom,
    ) -> None:
        super().__init__()
        self.model, self.batch, self.moods, self._room = model, batch, moods, room
        self._size = picture_of(model)
        width = model.config.text_config.hidden_size
        classes = sum(1 + len(names) for names in _CLASSES.values())
        taps = model.model.visual.deepstack_merger_list
        heads = nn.ModuleList(
            [nn.Linear(width, classes) for _ in (model.model.visual.merger, *taps)]
        )
        self.heads = heads.to(room.device)

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
            axes = _axes(width).to(self._room.device)
        batch = glances(np.random.default_rng([seed, 4]), 192, self.moods, self._size)
        features, taps = see(self.model, self._room.develop(batch.film))
        visual = self.model.model.visual
        mergers = (visual.merger, *visual.deepstack_merger_list)
        shares = (1.0, *[_TAP] * len(taps))
        for merger, head, rows, share in zip(
            mergers, self.heads, (features, *taps), shares, strict=True
        ):
            logits = head(rows.flatten(0, 1))
            mean, size = logits.mean(0), logits.std(0)
            old = _OLD / rows.norm(dim=-1).mean() * torch.eye(width, device=axes.device)
            lay = axes * (self._sizes().to(axes.device) / size)  # [width, classes]
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
            yield glances(rng, self.batch, self.moods, self._size, self._room.draws)

    def loss(self, batch: Glances) -> tuple[Tensor, dict[str, float]]:
        """The loss of one batch, and accuracies on occupied tokens."""
        features, taps = see(self.model, self._room.develop(batch.film))
        total = torch.zeros((), device=features.device)
        measures: dict[str, float] = {}
        for head, rows in zip(self.heads, (features, *taps), strict=True):
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


def _axes(width: int) -> Tensor:
    """A direction for every class, [width, classes]; those of nouns share what the others leave."""
    nouns = 1 + len(_NOUNS)
    others = sum(1 + len(names) for names in _CLASSES.values()) - nouns
    apart = torch.linalg.qr(torch.randn(width, others)).Q
    shared = torch.randn(width, nouns)
    shared = F.normalize(shared - apart @ (apart.T @ shared), dim=0)
    return torch.cat([apart, shared], dim=1)


def _balanced(logits: Tensor, target: Tensor) -> Tensor:
    """Cross-entropy in which all tokens that show nothing weigh half as much as those that do."""
    weight = torch.ones(logits.shape[1], device=logits.device)
    busy, empty = int((target > 0).sum()), int((target == 0).sum())
    weight[0] = min(_EMPTY_WEIGHT, 0.5 * max(busy, 1) / max(empty, 1))
    return F.cross_entropy(logits, target, weight, ignore_index=_IGNORE)
