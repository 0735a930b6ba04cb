"""Every pruning policy, listed once; the laws run for all of them."""

from __future__ import annotations

import torch
from torch import Tensor

from core.tokens import Grid, VisualTokens
from pruning.none import Dense
from pruning.random import Random
from pruning.uniform import Uniform
from pruning.vcast import VCast

POLICIES = [
    Dense(),
    Uniform(),
    Random(seed=3),
    VCast(),
    VCast(lookahead=1),
    VCast(spread=1.0),
    VCast(lookahead=1, temperature=0.2, spread=5.0),
]
# Policies that look at the features must keep a token that stands out from all others.
CONTENT_AWARE = [policy for policy in POLICIES if isinstance(policy, VCast)]


def name(policy: object) -> str:
    return repr(policy)


def tokens(features: Tensor, h: int, w: int) -> VisualTokens:
    """Dense tokens over features [t, h * w, d]; DeepStack rows and index are recognisable."""
    t, m, d = features.shape
    rows = torch.arange(t * m, dtype=torch.float32)[:, None]
    return VisualTokens(
        features=features.reshape(t * m, d),
        index=torch.arange(t * m),
        grid=Grid(t, h, w),
        times=tuple(float(step) for step in range(t)),
        deepstack=(rows.expand(-1, d) + 0.25, rows.expand(-1, d) + 0.5),
    )


def stream(seed: int, steps: int, h: int = 4, w: int = 5, d: int = 16) -> Tensor:
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
