"""Streams of features for the tests of pruning methods."""

from __future__ import annotations

import torch
from torch import Tensor

from core.tokens import Grid, VisualTokens

H, W, D = 4, 5, 16
M = H * W


def tokens(
    features: Tensor, h: int = H, w: int = W, attention: Tensor | None = None
) -> VisualTokens:
    """Dense tokens over features [t, h * w, d]; DeepStack rows and index are recognisable.

    Attention [t, h * w] is that of `looks` where it is not given. Pixels follow from the features,
    as if they were colours squeezed into [0, 255], the same in both frames of a step.
    """
    t, m, d = features.shape
    rows = torch.arange(t * m, dtype=torch.float32)[:, None]
    attention = looks(t, m) if attention is None else attention
    colours = (255 * features.float().nan_to_num().sigmoid()).round().to(torch.uint8)
    return VisualTokens(
        features=features.reshape(t * m, d),
        index=torch.arange(t * m),
        grid=Grid(t, h, w),
        times=tuple(float(step) for step in range(t)),
        deepstack=(rows.expand(-1, d) + 0.25, rows.expand(-1, d) + 0.5),
        attention=attention.reshape(t * m),
        pixels=colours.reshape(t * m, 1, d).expand(-1, 2, -1),
    )


def looks(steps: int, m: int = M, seed: int = 0) -> Tensor:
    """Attention received, float32 [steps, m], each step sums to 1; the same for every step."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(m, generator=generator).softmax(dim=0).expand(steps, -1).contiguous()


def stream(seed: int, steps: int, h: int = H, w: int = W, d: int = D) -> Tensor:
    """A scene that holds still for a while, then moves, then cuts; float32 [steps, h * w, d]."""
    generator = torch.Generator().manual_seed(seed)
    scene = torch.randn(h * w, d, generator=generator)
    out = []
    for step in range(steps):
        if step % 7 == 6:
            scene = torch.randn(h * w, d, generator=generator)
        elif step % 3 == 2:
            scene = scene.roll(1, dims=0)
        out.append(scene + 0.01 * torch.randn(h * w, d, generator=generator))
    return torch.stack(out)


def bland(steps: int, seed: int = 6) -> Tensor:
    """Tokens that are all nearly the same, float32 [steps, M, D]."""
    return torch.ones(steps, M, D) + 0.001 * stream(seed, steps)
