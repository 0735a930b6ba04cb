"""The vision tower of Qwen3-VL as we call it: nothing in it makes the host wait for a GPU.

transformers works out from the grids where every patch stands, on the device, and asks the device
for the numbers again, in every layer. Here that is worked out on the CPU, once for each size.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from transformers.vision_utils import (
    get_vision_cu_seqlens,
    get_vision_interpolation_indices_and_weights,
    get_vision_position_ids,
)

KEPT = 32  # sizes whose places are kept; the one longest unused gives way


class FlatPatches(nn.Module):
    """Stands in for the convolution over patches: they do not overlap, so a product will do.

    The convolution is slow in bfloat16 with some builds of cuDNN, and everywhere on a CPU.

    Args:
        stock: the module it stands in for; its parameters keep their names.
    """

    def __init__(self, stock: nn.Module) -> None:
        super().__init__()
        self.proj: Any = stock.proj

    def forward(self, patches: Tensor) -> Tensor:
        """Embed patches [n, values] as [n, d]."""
        weight: Tensor = self.proj.weight
        return F.linear(patches.to(weight.dtype), weight.flatten(1), self.proj.bias)


class Places:
    """Where the patches of a batch stand, as the tower's own functions say; made once a size.

    Temporal steps do not see each other, so that only their number matters, not whose they are.

    Args:
        tower: whose settings.
        device: where the tower is.
    """

    def __init__(self, tower: Any, device: torch.device) -> None:
        self._tower = tower
        self._device = device
        self._made: OrderedDict[tuple[int, int, int], dict[str, Any]] = OrderedDict()

    def of(self, grids: Tensor) -> dict[str, Any]:
        """What the tower is handed beside pixels and grids; nothing if the pictures differ in size.

        Args:
            grids: in patches, int64 [n, 3], on the CPU.
        """
        if bool((grids[:, 1:] != grids[0, 1:]).any()):
            return {}
        key = (int(grids[:, 0].sum()), int(grids[0, 1]), int(grids[0, 2]))
        if key not in self._made:
            self._made[key] = self._make(torch.tensor([key]))
        self._made.move_to_end(key)
        while len(self._made) > KEPT:
            self._made.popitem(last=False)
        return dict(self._made[key])  # the tower takes things out of it

    def _make(self, grid: Tensor) -> dict[str, Any]:
        tower = self._tower
        merge = tower.config.spatial_merge_size
        indices, weights = get_vision_interpolation_indices_and_weights(
            grid,
            num_grid_per_side=tower.num_grid_per_side,
            mode=tower.interpolation_mode,
            align_corners=tower.interpolation_align_corners,
            spatial_merge_size=merge,
        )
        steps, rows, columns = grid[0].tolist()
        # Waited for: they are kept, and pictures of a question are seen on another stream.
        return {
            "interp_indices": indices.to(self._device),
            "interp_weights": weights.to(self._device),
            "position_ids": get_vision_position_ids(grid, merge).to(self._device),
            "cu_seqlens": get_vision_cu_seqlens(grid).to(self._device),
            "max_seqlen": rows * columns,
            "lengths": [rows * columns] * steps,
        }
