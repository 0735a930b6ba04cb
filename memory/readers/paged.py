"""What readers that compute directly over pages have in common."""

from __future__ import annotations

from abc import abstractmethod

import torch
from torch import Tensor

from memory.readers.partial import NOTHING, merge
from memory.readers.reader import Demand, Plan, Reader
from memory.readers.tables import Side


class PagedReader(Reader):
    """Reads the scratches, and the memories if there are any, in one call of a kernel each."""

    replayable = True

    @abstractmethod
    def partial(
        self, plan: Plan, layer: int, query: Tensor, scale: float, side: Side
    ) -> tuple[Tensor, Tensor]:
        """Attention of all packed tokens over one side.

        Args:
            plan: whose pool and tables to use.
            layer: decoder layer.
            query: [tokens, heads, head_dim], contiguous.
            scale: of the scores.
            side: what to read.

        Returns:
            output, float32 [tokens, heads, head_dim], and log-sum-exp, float32 [tokens, heads];
            zero and -inf where no key is seen.
        """

    def read(self, plan: Plan, layer: int, query: Tensor, scale: float) -> Tensor:
        """See `Reader.read`."""
        tables, query = plan.tables, query.contiguous()
        out, lse = self.partial(plan, layer, query, scale, tables.scratch)
        if tables.memory is not None:
            past = self.partial(plan, layer, query, scale, tables.memory)
            out, _ = merge(out, lse, *past)
        return out.to(query.dtype)


def cleared(out: Tensor, lse: Tensor, side: Side) -> tuple[Tensor, Tensor]:
    """A flash kernel's answer as float32, with zero and -inf for tokens that see nothing.

    Flash kernels report +inf for those, which would take all the weight in a merge.

    Args:
        out: [tokens, heads, head_dim].
        lse: [heads, tokens], as those kernels order it.
        side: what was read.

    Raises:
        ValueError: if the log-sum-exp has another shape.
    """
    tokens, heads, _ = out.shape
    if lse.shape != (heads, tokens):
        raise ValueError(f"log-sum-exp of {heads} heads and {tokens} tokens is {list(lse.shape)}")
    out, lse = out.float(), lse.float().T
    if side.blind is not None:
        out = out.masked_fill(side.blind[:, None, None], 0)
        lse = lse.masked_fill(side.blind[:, None], NOTHING)
    return out, lse


def refused_by_flash(demand: Demand) -> str | None:
    """What no kernel of the FlashAttention 2 family can read over pages."""
    shape = demand.shape
    if demand.device.type != "cuda":
        return "needs a CUDA device"
    if torch.cuda.get_device_capability(demand.device) < (8, 0):
        return "needs a GPU of compute capability 8.0 or newer"
    if shape.dtype not in (torch.float16, torch.bfloat16):
        return f"needs float16 or bfloat16, not {str(shape.dtype).removeprefix('torch.')}"
    if shape.head_dim % 8 or shape.head_dim > 256:
        return f"heads of {shape.head_dim} are no multiple of 8 up to 256"
    if demand.page_size % 256:
        return f"needs memory.page_size in multiples of 256, not {demand.page_size}"
    if demand.per_head:
        return "heads cannot hold different numbers of tokens"
    return None


def same_for_all_heads(side: Side) -> Tensor:
    """Lengths of a side, int32 [spans].

    Raises:
        ValueError: if heads differ, which flash kernels cannot read.
    """
    if side.by_head is not None:
        raise ValueError("this reader needs heads that hold the same number of tokens")
    return side.lengths
