"""From the host to the model's device without waiting for what is queued there.

A plain copy to a GPU waits until everything before it in the queue is done, so that a handful of
page numbers would hold up a step. From pinned memory it is queued like everything else; torch gives
such memory out again only when the copies from it are done, so it may go out of scope at once.
"""

from __future__ import annotations

import torch
from torch import Tensor


def sent(host: Tensor, device: torch.device) -> Tensor:
    """The same values on the device; there they come after all that was queued before.

    Nothing waits for them on another stream: what is kept for several streams goes by `to`.

    Args:
        host: on the CPU, or on the device already.
        device: where to.
    """
    if host.device.type != "cpu":
        return host.to(device)
    staged = host.pin_memory() if device.type == "cuda" else host
    return staged.to(device, non_blocking=True)
