"""Flows between rows, gathered while a method decides, as the `Merge` that it returns.

A method knows the row that a token flows into; `Merge` wants that row's place among the kept ones,
which is known only when all of them are.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from core.tokens import Merge


class Flow(NamedTuple):
    """Some rows flowing into kept ones, one entry per edge."""

    source: Tensor  # int64 [e], rows
    anchor: Tensor  # int64 [e], rows that are kept
    weight: Tensor  # float32 [e]


def merged(rows: Tensor, flows: Sequence[Flow]) -> Merge | None:
    """The flows into kept rows, int64 [k], increasing; None if nothing flows."""
    if not flows:
        return None
    source, anchor, weight = (torch.cat(parts) for parts in zip(*flows, strict=True))
    return Merge(source, torch.searchsorted(rows, anchor), weight)


def means(source: Tensor, anchor: Tensor, size: int) -> Flow:
    """The flow that makes each anchor the mean of its sources.

    Args:
        source: int64 [e], rows.
        anchor: int64 [e], the row each of them flows into.
        size: rows that there are.
    """
    members = anchor.bincount(minlength=size)
    return Flow(source, anchor, 1 / members[anchor].float())
