"""CaCoVID's policy network (arXiv 2602.01649): how much each token and each step is worth keeping.

One decoder layer reads the bank and the question together, every token every other; then a root
mean square normalisation, and two heads of five linear maps, d to d/2, d/4, d/8, d/16 and 2, with
SiLU between: one on every visual token, one on the mean of every step's tokens. Their two outputs
are the logits of dropping and keeping; a score is keeping minus dropping. In the paper the layer
starts as layer 0 of the frozen language model (`PolicyNetwork.of_language_layer`).

Deviations: positions are those of one video without the timestamps between its steps, which a bank
does not hold; the third head ("mode") of the published code is left out, as nothing there uses it;
new heads start with weights that keep the size of what passes through them.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor, nn

from pruning.selectors.decoder import DecoderLayer, RMSNorm, positions
from pruning.selectors.selector import Bank, Question
from pruning.selectors.weights import Shape, fill, read, write

NAME = "cacovid"


class Logits(NamedTuple):
    """What the policy says: [..., 0] of dropping, [..., 1] of keeping."""

    tokens: Tensor  # float32 [n, 2]
    steps: Tensor  # float32 [t, 2]; of steps that hold no token, of nothing

    @property
    def token_scores(self) -> Tensor:
        """Keeping minus dropping, float32 [n]."""
        return self.tokens[:, 1] - self.tokens[:, 0]

    @property
    def step_scores(self) -> Tensor:
        """Keeping minus dropping, float32 [t]."""
        return self.steps[:, 1] - self.steps[:, 0]


class PolicyNetwork(nn.Module):
    """The network.

    Args:
        shape: of its decoder layer.
        seed: of its first weights; two networks of one shape and seed are equal.
    """

    def __init__(self, shape: Shape, seed: int = 0) -> None:
        super().__init__()
        self.shape = shape
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.layer = DecoderLayer(shape)
            self.norm = RMSNorm(shape.width, shape.eps)
            self.token_head = _head(shape.width)
            self.step_head = _head(shape.width)

    @classmethod
    def of_language_layer(
        cls, shape: Shape, weights: Mapping[str, Tensor], seed: int = 0
    ) -> PolicyNetwork:
        """A policy to be trained: its layer is the language model's, its heads are new.

        Args:
            shape: of the language model's layers.
            weights: of layer 0, by the names inside the layer ("self_attn.q_proj.weight").
            seed: of the heads.

        Raises:
            ModelLoadFailed: if the weights are not those of such a layer.
        """
        network = cls(shape, seed)
        fill(network.layer, weights, "the language model's layer")
        return network

    @classmethod
    def load(cls, path: Path) -> PolicyNetwork:
        """A policy that was saved.

        Raises:
            ModelLoadFailed: saying what is wrong with the file.
        """
        shape, weights = read(path, NAME)
        network = cls(shape)
        fill(network, weights, str(path))
        return network

    def save(self, path: Path) -> None:
        """Write the weights, with what `load` must know."""
        write(path, self, NAME, self.shape)

    def forward(self, bank: Bank, question: Question) -> Logits:
        """The logits; they can be differentiated."""
        n = len(bank)
        x = torch.cat([bank.features, question.features])
        x = self.layer(x, positions(bank.index, bank.grid, len(question.features)))
        seen = self.norm(x[:n])
        sizes = bank.step.bincount(minlength=bank.grid.t)
        sums = seen.new_zeros(bank.grid.t, seen.shape[1]).index_add(0, bank.step, seen)
        means = sums / sizes.clamp(min=1)[:, None]
        return Logits(self.token_head(seen), self.step_head(means))


def _head(width: int) -> nn.Sequential:
    sizes = [max(width // part, 1) for part in (1, 2, 4, 8, 16)]
    layers: list[nn.Module] = []
    for before, after in pairwise(sizes):
        layers += [nn.Linear(before, after), nn.SiLU()]
    layers.append(nn.Linear(sizes[-1], 2))
    for layer in layers:
        if isinstance(layer, nn.Linear):  # so that five layers do not swallow what they are given
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
            nn.init.zeros_(layer.bias)
    return nn.Sequential(*layers)
