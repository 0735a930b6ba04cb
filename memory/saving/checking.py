"""Everything that is read from disk is checked before it is used."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from core.errors import MemoryDamaged


class Checked:
    """Named tensors, each handed out once and only as what it must be.

    Args:
        tensors: as they were read.
    """

    def __init__(self, tensors: Mapping[str, Tensor]) -> None:
        self._left = dict(tensors)

    def take(
        self, name: str, dtype: torch.dtype | tuple[torch.dtype, ...], *shape: int | None
    ) -> Tensor:
        """One of them.

        Args:
            name: of the tensor.
            dtype: that it must have; or one of several.
            shape: that it must have; None where any length will do.

        Raises:
            MemoryDamaged: if it is missing, of another type or shape, or not finite.
        """
        tensor = self._left.pop(name, None)
        if tensor is None:
            raise MemoryDamaged(f"{name} is missing")
        suits = len(shape) == tensor.ndim and all(
            want in (None, have) for want, have in zip(shape, tensor.shape, strict=True)
        )
        known = dtype if isinstance(dtype, tuple) else (dtype,)
        if tensor.dtype not in known or not suits:
            raise MemoryDamaged(
                f"{name} is {tensor.dtype} {list(tensor.shape)}, not {known[0]} {list(shape)}"
            )
        if tensor.is_floating_point() and not bool(tensor.isfinite().all()):
            raise MemoryDamaged(f"{name} holds numbers that are not finite")
        return tensor

    def finish(self) -> None:
        """Nothing must be left.

        Raises:
            MemoryDamaged: if something is.
        """
        if self._left:
            raise MemoryDamaged(f"{min(self._left):.80} belongs to nothing")


def demand(holds: bool | Tensor, what: str) -> None:
    """Something that is so in every memory.

    Raises:
        MemoryDamaged: if it is not.
    """
    if not bool(holds):
        raise MemoryDamaged(what)
