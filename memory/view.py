"""A read-only look at some slots of the pool: what attention reads."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from core.sending import sent


@dataclass(frozen=True, slots=True, eq=False)
class View:
    """The first `length` slots of a block table, or for each head of each layer fewer of them.

    Heads may differ in which tokens they keep: each packs its own into the first slots, so that a
    length says all.

    Raises:
        ValueError: if the parts do not fit together.
    """

    pages: Tensor  # int32 [num_pages]
    length: int  # slots in use; the last page may be partial
    slots: Tensor  # int64 [length], flat slots (page * page_size + offset), derived from pages
    lengths: Tensor | None = None  # int32 [layers, kv_heads], the largest is length; None: all are

    def __post_init__(self) -> None:
        """Check what needs no look into device memory; `of` also checks the numbers."""
        if self.slots.shape != (self.length,):
            raise ValueError(f"{len(self.slots)} slots do not make a length {self.length}")
        lengths = self.lengths
        if lengths is None:
            return
        if lengths.ndim != 2 or lengths.dtype != torch.int32:
            raise ValueError(f"lengths are int32 [layers, kv_heads], not {lengths.dtype} "
                             f"{list(lengths.shape)}")  # fmt: skip
        if lengths.device != self.pages.device:
            raise ValueError(f"lengths are on {lengths.device}, pages on {self.pages.device}")

    @staticmethod
    def of(
        table: list[int],
        length: int,
        page_size: int,
        device: torch.device,
        lengths: Tensor | None = None,
    ) -> View:
        """The view of `length` slots over the pages of `table`.

        Args:
            table: pages, at least as many as `length` slots take.
            length: slots in use, of the head that uses most.
            page_size: slots per page.
            device: of the pool.
            lengths: slots in use by each head, int [layers, kv_heads]; best given on the CPU, where
                checking them waits for nothing.

        Raises:
            ValueError: if lengths are negative or their largest is not `length`.
        """
        if lengths is not None:
            low, high = (int(x) for x in torch.aminmax(lengths))
            if low < 0 or high != length:
                raise ValueError(f"lengths of {low} to {high} do not make a view of {length}")
            lengths = sent(lengths.to(torch.int32), device)
        pages = sent(torch.tensor(table[: -(-length // page_size)], dtype=torch.int32), device)
        offsets = torch.arange(page_size, device=device)  # made there: slots need not cross
        slots = (pages.long()[:, None] * page_size + offsets).flatten()[:length]
        return View(pages, length, slots, lengths)
