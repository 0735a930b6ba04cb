"""LiveVLM (arXiv 2505.15269), its vision sink bucketing: the best of every stretch of time.

When memory is full, tokens are scored by the attention they get from the newest visual tokens. The
highest scores stay wherever they are; the rest of the room is dealt to buckets of time, each of
which keeps its own best. So no stretch of the past is emptied by a brighter one.

Deviations: buckets hold equally many tokens in order of time; the exact short-term queue of the
paper is a share of recent steps that stay whole; retrieval by question is a reader's business.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Tensor

from memory.policies.policy import Contents, MemoryPolicy, Observes, Retained
from memory.policies.ranking import best, check_target, ranks, received, recent
from memory.table import TokenTable


@dataclass(frozen=True)
class LiveVLM(MemoryPolicy):
    """Buckets of time.

    Attributes:
        target: share of the limit that is left after compressing, within (0, 1].
        recent: share of it for the recent steps, which stay whole.
        forced: share of it for the highest scores, wherever they are.
        bucket: tokens that a bucket keeps, at least 1.
        watched: newest visual tokens whose queries score.
    """

    target: float = 0.75
    recent: float = 0.25
    forced: float = 0.1
    bucket: int = 1
    watched: int = 16
    method: Literal["live_vlm"] = "live_vlm"
    per_head: ClassVar[bool] = True
    observes: ClassVar[Observes] = Observes.NEWEST

    def __post_init__(self) -> None:
        check_target(self.target)
        if min(self.recent, self.forced) < 0:
            raise ValueError("recent and forced not negative")
        if self.recent + self.forced > 1 or min(self.bucket, self.watched) < 1:
            raise ValueError("recent + forced at most 1, bucket and watched at least 1")

    @property
    def queries(self) -> int:
        """See `MemoryPolicy.queries`."""
        return self.watched

    def retain(self, contents: Contents, incoming: TokenTable, limit: int) -> Retained | None:
        """See `MemoryPolicy.retain`."""
        if contents.most <= limit:
            return None
        scores = torch.stack([received(contents, x) for x in range(len(contents.rows))])
        sink = contents.sink
        left = contents.left(self.target, limit)
        stay = recent(contents, self.recent, left)
        count = torch.full_like(contents.rows[..., 0], round(self.forced * left))
        stay = stay | best(scores, contents.filled & ~sink & ~stay, count)
        others = contents.filled & ~sink & ~stay
        room = (left - stay.sum(-1)).clamp(min=0)
        first = _bucket_rank(contents, scores, others, room, left, self.bucket) < self.bucket
        # The best of every bucket come before all others, so that what is left over is dealt too.
        stay = stay | best(scores + 2.0 * first, others, room)
        return Retained(stay | sink)


def _bucket_rank(
    contents: Contents, scores: Tensor, among: Tensor, room: Tensor, most: int, size: int
) -> Tensor:
    """Place of each slot among its bucket's scores, 0 the best, int64 [l, h, n].

    Args:
        contents: what is held.
        scores: 0 to 1, [l, h, n].
        among: what buckets are made of, bool [l, h, n].
        room: tokens that stay of them, [l, h].
        most: none of `room` is larger.
        size: tokens that a bucket keeps.
    """
    late = torch.iinfo(torch.int64).max
    time = contents.column(contents.tokens.positions[:, 0]).masked_fill(~among, late)
    total = among.sum(-1, keepdim=True).clamp(min=1)
    buckets = (room[..., None] // size).clamp(min=1)
    bucket = (ranks(time) * buckets // total).where(
        among, buckets
    )  # the others in one of their own
    counts = bucket.new_zeros(*bucket.shape[:2], max(1, most // size) + 2)
    counts.scatter_add_(2, bucket + 1, torch.ones_like(bucket))
    start = counts.cumsum(-1).gather(2, bucket)
    return ranks(bucket - 0.5 * scores.double()) - start
