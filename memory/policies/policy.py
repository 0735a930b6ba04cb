"""The contract of memory policies: what a full memory gives up, and what it makes of it.

A policy is a frozen dataclass of parameters and holds nothing about any camera. It is asked before
every append and says what stays, head by head if it likes; summaries may take the place of what
goes. The fixed beginning always stays, and what comes in always enters whole; it may be asked once
more when that is done.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from enum import Enum, auto
from typing import ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from core.sending import sent
from memory.observation import Observed
from memory.pool import PagePool
from memory.rotation import Rotation
from memory.table import TokenTable


class Observes(Enum):
    """What a policy wants to see of the forwards that fill a memory."""

    NOTHING = auto()
    NEWEST = auto()  # queries of the newest visual tokens, as they were prefilled
    PROXY = auto()  # queries of a question that nobody asked, put to the memory when it is full
    STATES = auto()  # no queries: how like visual tokens remained to what was seen


@dataclass(frozen=True, slots=True, eq=False)
class Contents:
    """What a policy may look at; it changes nothing of it.

    Heads may hold different tokens. `rows` names the token of each slot; where all heads of all
    layers hold the same ones it is [1, 1, n], else [layers, kv_heads, n].
    """

    tokens: TokenTable  # all that some head holds, oldest first
    # int64 [l, h, n], rows of `tokens`; -1 where the head holds fewer. On the host for policies
    # that go by the table alone, else where the pool is.
    rows: Tensor
    pool: PagePool
    slots: Tensor  # int64 [n], flat slots of the pool
    rotation: Rotation | None = None
    observed: Observed | None = None
    likeness: Tensor | None = None  # float32 [layers, tokens]; NaN for all but what just came in
    host: Tensor | None = None  # `rows` on the host; None: it would have to be copied

    @property
    def at_host(self) -> Contents:
        """The same for what goes by the table alone: it is known there without waiting."""
        rows = self.rows.cpu() if self.host is None else self.host
        return replace(self, rows=rows, host=rows)

    @property
    def filled(self) -> Tensor:
        """Which slots hold a token, bool [l, h, n]."""
        return self.rows >= 0

    @property
    def sink(self) -> Tensor:
        """Which slots hold the fixed beginning, bool [l, h, n]."""
        return self.column(self.tokens.sink) & self.filled

    @property
    def most(self) -> int:
        """Tokens held by the head that holds most."""
        return int(self.at_host.filled.sum(-1).max())

    def left(self, share: float, limit: int) -> int:
        """Tokens of each head, the sink not counted, when a share of a limit is left."""
        return max(0, int(share * limit) - int(self.at_host.sink.sum(-1).max()))

    def column(self, values: NDArray[np.bool_] | NDArray[np.int64] | NDArray[np.float64]) -> Tensor:
        """A column of tokens as one of slots, [l, h, n]; meaningless where nothing is held."""
        return sent(torch.from_numpy(values), self.rows.device)[self.rows.clamp(min=0)]

    def keys(self, layer: int) -> Tensor:
        """As they are stored: rotated, [kv_heads, n, d]."""
        return self.pool.keys[layer].flatten(0, 1)[self.slots].transpose(0, 1)

    def values(self, layer: int) -> Tensor:
        """[kv_heads, n, d]."""
        return self.pool.values[layer].flatten(0, 1)[self.slots].transpose(0, 1)

    def positions(self, layer: int) -> Tensor:
        """Rotary (t, h, w) of every slot, int64 [kv_heads or 1, n, 3]."""
        rows = self.rows[min(layer, len(self.rows) - 1)].clamp(min=0)
        return sent(torch.from_numpy(self.tokens.positions), self.rows.device)[rows]

    def bare_keys(self, layer: int) -> Tensor:
        """Without their positions, float32 [kv_heads, n, d].

        Raises:
            ValueError: if the memory was not told how keys are turned.
        """
        if self.rotation is None:
            raise ValueError("this policy needs to know how the model turns its keys")
        return self.rotation.take(self.keys(layer), self.positions(layer))


@dataclass(frozen=True, slots=True, eq=False)
class Summaries:
    """Tokens that stand for others, as every head of every layer will read them."""

    keys: Tensor  # rotated at their positions, [layers, kv_heads, s, d]
    values: Tensor  # [layers, kv_heads, s, d]
    tokens: TokenTable  # [s]; groups of steps that are or were held


@dataclass(frozen=True, slots=True, eq=False)
class Retained:
    """What stays."""

    stay: Tensor  # bool, shaped as `Contents.rows`; only filled slots count
    summaries: Summaries | None = None


class MemoryPolicy(ABC):
    """Says what stays.

    Laws, tested for every policy in `memory.policies.registry`: after it, no head of any layer
    holds more than the limit, summaries included; the sink stays; deterministic; inputs unchanged;
    with room for everything and no rule of its own against it, everything stays.
    """

    # Pydantic reads this: an unknown field in a configuration is refused, not ignored.
    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}

    method: str
    per_head: ClassVar[bool] = False  # whether heads may come to hold different tokens
    whole_steps: ClassVar[bool] = False  # whether steps go whole, so that an archive may take them
    by_table: ClassVar[bool] = False  # whether it reads what is known of tokens only, no keys
    observes: ClassVar[Observes] = Observes.NOTHING

    @property
    def queries(self) -> int:
        """Queries it wants to see per layer."""
        return 0

    @abstractmethod
    def retain(self, contents: Contents, incoming: TokenTable, limit: int) -> Retained | None:
        """What stays so that each head holds at most `limit` tokens; None for all of it.

        Args:
            contents: what is held.
            incoming: what is about to be added.
            limit: tokens per head, at least those of the sink.
        """

    def settle(self, contents: Contents) -> Tensor | None:
        """What stays once everything came in, bool as `Contents.rows`; None for all of it.

        The sink stays. Asked of policies that observe `STATES`, and only here they are shown
        `Contents.likeness`.
        """
        return None
