"""What a policy is shown, written out by hand: one layer or more, few tokens, chosen numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from memory.observation import Observed
from memory.policies.policy import Contents, MemoryPolicy, Retained
from memory.pool import KVShape, PagePool
from memory.rotation import Rotation
from memory.table import SINK, SUMMARY, TEXT, VISUAL, TokenTable

D = 4
ROTATION = Rotation(torch.tensor([0.7, 0.2], dtype=torch.float64), torch.tensor([0, 1]))
STEP = 10  # positions from one step to the next


@dataclass
class Token:
    """One token; keys without a position."""

    group: int  # of a step; -1 the sink
    cell: tuple[int, int] | None = (0, 0)  # row and column; None: a mark
    key: Sequence[float] = (1.0, 0.0, 0.0, 0.0)
    value: Sequence[float] = (1.0, 0.0, 0.0, 0.0)
    kind: int | None = None
    position: tuple[int, int, int] = field(init=False)

    def __post_init__(self) -> None:
        if self.kind is None:
            self.kind = TEXT if self.cell is None else VISUAL
        base = 0 if self.group == SINK else STEP * (self.group + 1)
        row, column = self.cell or (0, 0)
        self.position = (base, base + row, base + column)


@dataclass
class Shown:
    """Contents in which every head of every layer holds the same tokens, or those named.

    Args:
        tokens: oldest first.
        heads: which tokens each slot of each head of each layer holds, [l, h, n]; -1 for none.
        queries: without a position, [layers, q, heads, d]; put at position 0.
        keys: of single heads that differ from the tokens' own, by (layer, head, token).
    """

    tokens: list[Token]
    heads: Tensor | None = None
    queries: Tensor | None = None
    layers: int = 1
    kv_heads: int = 1
    keys: dict[tuple[int, int, int], Sequence[float]] = field(default_factory=dict)

    def contents(self) -> Contents:
        """As a memory makes them."""
        rows = self.heads
        if rows is None:
            rows = torch.arange(len(self.tokens)).expand(self.layers, self.kv_heads, -1)
        layers, heads, n = rows.shape
        pool = PagePool(KVShape(layers, heads, D), 1, max(n, 1))
        positions = np.array([t.position for t in self.tokens], np.int64)
        for layer in range(layers):
            for head in range(heads):
                for slot, row in enumerate(rows[layer, head].tolist()):
                    if row < 0:
                        continue
                    token = self.tokens[row]
                    bare = torch.tensor([self.keys.get((layer, head, row), token.key)]).float()
                    at = torch.from_numpy(positions[row : row + 1])
                    pool.keys[layer, 0, slot, head] = ROTATION.put(bare, at)[0]
                    pool.values[layer, 0, slot, head] = torch.tensor(token.value).float()
        return Contents(
            TokenTable(
                positions,
                np.array([t.group for t in self.tokens], np.int64),
                np.array([np.nan if t.group == SINK else float(t.group) for t in self.tokens]),
                np.array([t.kind for t in self.tokens], np.int8),
            ),
            rows.clone(),
            pool,
            torch.arange(n),
            ROTATION,
            self._observed(layers),
        )

    def _observed(self, layers: int) -> Observed | None:
        if self.queries is None:
            return None
        seen = Observed(64)
        for layer in range(layers):
            seen.note(layer, self.queries[min(layer, len(self.queries) - 1)])
        return seen


def looking(shown: Shown, scores: Tensor) -> Shown:
    """Makes the observed queries give each token the share of attention softmax(scores).

    Every token's rotated key becomes one with scores in its first channel, which one query reads.

    Args:
        shown: what is held; its keys are overwritten.
        scores: [layers, kv_heads, tokens].
    """
    layers, heads, _ = scores.shape
    shown.layers, shown.kv_heads = layers, heads
    shown.queries = torch.zeros(layers, 1, heads, D)
    shown.queries[..., 0] = D**0.5
    for place in np.ndindex(*scores.shape):
        layer, head, row = (int(x) for x in place)
        at = torch.tensor([shown.tokens[row].position])
        rotated = torch.zeros(1, D)
        rotated[0, 0] = scores[place]
        shown.keys[layer, head, row] = ROTATION.take(rotated, at)[0].tolist()
    return shown


NOTHING = TokenTable.empty()


def kept(policy: MemoryPolicy, shown: Shown, limit: int, layer: int = 0, head: int = 0) -> set[int]:
    """Which tokens a head keeps, by number; all of them where the policy says None."""
    contents = shown.contents()
    retained = policy.retain(contents, NOTHING, limit)
    rows = contents.rows[layer, head]
    stay = rows >= 0 if retained is None else retained.stay[layer, head] & (rows >= 0)
    return set(rows[stay].tolist())


def retained(policy: MemoryPolicy, shown: Shown, limit: int) -> Retained:
    """What the policy says, which must be something."""
    found = policy.retain(shown.contents(), NOTHING, limit)
    assert found is not None
    return found


__all__ = ["SINK", "SUMMARY", "Shown", "Token", "kept", "looking", "retained"]
