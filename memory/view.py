"""A read-only look at some slots of the pool: what attention reads."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, slots=True, eq=False)
class View:
    """The first `length` slots of a block table."""

    pages: Tensor  # int32 [num_pages]
    length: int  # slots in use; the last page may be partial
    slots: Tensor  # int64 [length], flat slots (page * page_size + offset), derived from pages

    @staticmethod
    def of(table: list[int], length: int, page_size: int, device: torch.device) -> View:
        """The view of `length` slots over the pages of `table`."""
        pages = torch.tensor(table[: -(-length // page_size)], dtype=torch.int32)
        offsets = torch.arange(page_size)
        slots = (pages.long()[:, None] * page_size + offsets).flatten()[:length]
        return View(pages.to(device), length, slots.to(device))
