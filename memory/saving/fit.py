"""What a saved memory must suit to be read again: a model, a policy, a codec, a capacity."""

from __future__ import annotations

from dataclasses import dataclass

from memory.codecs.codec import Codec
from memory.policies.policy import MemoryPolicy
from memory.pool import KVShape


@dataclass(frozen=True, slots=True)
class Fit:
    """The memory that a saved one is to become.

    Args:
        model: its name, for people.
        fingerprint: tells it from every other model, and from itself with other weights.
        shape: of one token's keys and values.
        sink: tokens of the fixed beginning.
        capacity: tokens per head at most.
        policy: what a full memory gives up.
        codec: of the archive; None without one.
    """

    model: str
    fingerprint: str
    shape: KVShape
    sink: int
    capacity: int
    policy: MemoryPolicy
    codec: Codec | None = None

    @property
    def heads(self) -> tuple[int, int]:
        """Layers and heads that may hold tokens of their own; (1, 1): all hold the same."""
        return (self.shape.layers, self.shape.kv_heads) if self.policy.per_head else (1, 1)
