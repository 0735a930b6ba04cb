"""What the card itself does: the rates that everything else is compared with."""

from __future__ import annotations

import platform
from dataclasses import dataclass
from functools import partial

import torch

from benchmarks.gpu.context import Context
from benchmarks.meters import median_seconds
from benchmarks.report import Row

_seconds = partial(median_seconds, rounds=8, warm=3)


@dataclass(frozen=True, slots=True)
class Rates:
    """Measured in the same run as what is compared with them.

    Args:
        flops: floating point operations a second of a large matrix product.
        bytes_per_s: read and written by a large copy.
    """

    flops: float
    bytes_per_s: float


def rates(context: Context) -> Rates:
    """Measure both."""
    n, device = context.scale.matrix, context.device
    a, b = (torch.randn(n, n, device=device, dtype=context.dtype) for _ in range(2))
    product = _seconds(device, partial(torch.mm, a, b))
    source = torch.empty(context.scale.copied_bytes // 2, dtype=torch.uint8, device=device)
    target = torch.empty_like(source)
    copied = _seconds(device, partial(target.copy_, source))
    return Rates(2 * n**3 / product, 2 * source.nbytes / copied)


def machine(context: Context) -> list[Row]:
    """Names, versions and rates."""
    found = rates(context)
    row: Row = {
        "torch": torch.__version__,
        "python": platform.python_version(),
        "device": "cpu",
        "matrix_tflops": found.flops / 1e12,
        "copy_gb_per_s": found.bytes_per_s / 1e9,
    }
    if context.device.type == "cuda":
        free, total = torch.cuda.mem_get_info(context.device)
        row |= {
            "device": torch.cuda.get_device_name(context.device),
            "capability": ".".join(map(str, torch.cuda.get_device_capability(context.device))),
            "cuda": str(torch.version.cuda),
            "free_gb": free / 1e9,
            "total_gb": total / 1e9,
        }
    return [row]
