"""QTSplus's network (arXiv 2511.11910): how relevant each token is, and how many are needed.

One layer of cross-attention from the question's words to the tokens, root mean square normalised
before, no rotary: a token's relevance is the largest attention it gets, over heads and words. The
share of tokens to keep comes from what that looks like,
  rho = 0.05 + 0.45 sigmoid(MLP[mean word; log M; max r; H(r / sum r)]),
an MLP from d + 3 over 256 (GELU) to 1, H the entropy.

Deviations: values, output and feed-forward part of the layer are left out, since with one layer
nothing reads them; normalisation per head, which models of this family have, is kept where the
layer comes from one. Made new, queries and keys project alike, so that relevance starts as the
likeness of word and token; a pair trained apart is what `of_language_layer` gives.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor, nn

from pruning.selectors.decoder import RMSNorm
from pruning.selectors.weights import Shape, fill, read, write

NAME = "qtsplus"
LEAST, MOST = 0.05, 0.5  # share of the tokens that is kept
HIDDEN = 256  # of the budget head


class Judgement(NamedTuple):
    """What the network says of a bank."""

    relevance: Tensor  # float32 [n], each in (0, 1]
    share: Tensor  # float32 [], in (LEAST, MOST)


class Scorer(nn.Module):
    """Cross-attention of which only the weights are wanted; names as in a decoder layer."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape = shape
        self.input_layernorm = RMSNorm(shape.width, shape.eps)
        self.q_proj = nn.Linear(shape.width, shape.heads * shape.head_dim, bias=False)
        self.k_proj = nn.Linear(shape.width, shape.kv_heads * shape.head_dim, bias=False)
        self.q_norm = RMSNorm(shape.head_dim, shape.eps)
        self.k_norm = RMSNorm(shape.head_dim, shape.eps)
        with torch.no_grad():
            shared = self.k_proj.weight.view(shape.kv_heads, 1, shape.head_dim, shape.width)
            groups = shared.expand(-1, shape.heads // shape.kv_heads, -1, -1)
            self.q_proj.weight.copy_(groups.reshape(-1, shape.width))

    def forward(self, words: Tensor, tokens: Tensor) -> Tensor:
        """Attention from words [q, d] to tokens [n, d], float32 [heads, q, n]; rows sum to 1."""
        e, groups = self.shape.head_dim, self.shape.heads // self.shape.kv_heads
        query = self.q_norm(self.q_proj(self.input_layernorm(words)).view(len(words), -1, e))
        key = self.k_norm(self.k_proj(self.input_layernorm(tokens)).view(len(tokens), -1, e))
        key = key.repeat_interleave(groups, dim=1)
        logits = torch.einsum("qhe,nhe->hqn", query, key) / math.sqrt(e)
        weights: Tensor = logits.softmax(dim=-1)
        return weights


class QTSplusNetwork(nn.Module):
    """The network.

    Args:
        shape: of the decoder layer that its cross-attention starts from; `hidden`, `theta` and
            `sections` play no part.
        seed: of its first weights; two networks of one shape and seed are equal.
    """

    def __init__(self, shape: Shape, seed: int = 0) -> None:
        super().__init__()
        self.shape = shape
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.scorer = Scorer(shape)
            self.budget = nn.Sequential(
                nn.Linear(shape.width + 3, HIDDEN), nn.GELU(), nn.Linear(HIDDEN, 1)
            )

    @classmethod
    def of_language_layer(
        cls, shape: Shape, weights: Mapping[str, Tensor], seed: int = 0
    ) -> QTSplusNetwork:
        """A network to be trained: it attends as a layer of the language model does.

        Args:
            shape: of the language model's layers.
            weights: of one, by the names inside the layer; what is not needed is passed over.
            seed: of the budget head.

        Raises:
            ModelLoadFailed: if the weights are not those of such a layer.
        """
        network = cls(shape, seed)
        own = network.scorer.state_dict()
        named = {name.removeprefix("self_attn."): value for name, value in weights.items()}
        needed = {name: named[name] for name in own if name in named}
        fill(network.scorer, needed, "the language model's layer")
        return network

    @classmethod
    def load(cls, path: Path) -> QTSplusNetwork:
        """A network that was saved.

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

    def forward(self, tokens: Tensor, words: Tensor, total: int | None = None) -> Judgement:
        """The judgement; it can be differentiated.

        Args:
            tokens: float32 [n, d].
            words: of the question, float32 [q, d].
            total: M of the budget head, where a stream is judged part by part; None for n.
        """
        relevance = self.scorer(words, tokens).amax(dim=(0, 1))
        spread = relevance / relevance.sum()
        entropy = -(spread * spread.clamp(min=1e-30).log()).sum()
        size = relevance.new_tensor(math.log(len(tokens) if total is None else total))
        facts = torch.stack([size, relevance.max(), entropy])
        wanted = self.budget(torch.cat([words.mean(dim=0), facts]))[0]
        return Judgement(relevance, LEAST + (MOST - LEAST) * wanted.sigmoid())
