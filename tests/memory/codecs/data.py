"""Keys, values and questions for codecs."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from memory.readers.partial import partial_attention


def gaussian(seed: int, heads: int = 2, tokens: int = 256, d: int = 64) -> Tensor:
    """Numbers without any structure, [heads, tokens, d]."""
    return torch.randn(heads, tokens, d, generator=torch.Generator().manual_seed(seed))


def loud(seed: int, heads: int = 2, tokens: int = 256, d: int = 64) -> Tensor:
    """As keys are: every channel at its own place and size, one in eight far from zero."""
    generator = torch.Generator().manual_seed(seed)
    size = torch.exp(torch.randn(heads, 1, d, generator=generator) * 0.5)
    place = torch.randn(heads, 1, d, generator=generator)
    place[..., ::8] *= 12
    return gaussian(seed + 1000, heads, tokens, d) * size + place


def uneven(seed: int, heads: int = 2, tokens: int = 256, d: int = 64) -> Tensor:
    """As values are: small, around zero, channels of different size."""
    generator = torch.Generator().manual_seed(seed)
    size = 0.1 * torch.exp(torch.randn(heads, 1, d, generator=generator))
    return gaussian(seed + 2000, heads, tokens, d) * size


def lost(x: Tensor, decoded: Tensor) -> float:
    """The norm of the error over the norm."""
    return float((decoded.float() - x.float()).norm() / x.float().norm())


@dataclass(frozen=True)
class Asked:
    """Queries that each look for one token, with what exact attention says."""

    keys: Tensor  # [heads, tokens, d]
    values: Tensor  # [heads, tokens, d]
    queries: Tensor  # [q, heads, d]

    def attend(self, keys: Tensor, values: Tensor) -> Tensor:
        """Attention of the queries over these keys and values, [q, heads, d]."""
        scale = keys.shape[2] ** -0.5
        k, v = keys.transpose(0, 1), values.transpose(0, 1)
        return partial_attention(self.queries, k, v, scale, causal=False)[0]

    def lost(self, keys: Tensor, values: Tensor) -> float:
        """The share of the exact output's norm that these keys and values lose."""
        return lost(self.attend(self.keys, self.values), self.attend(keys, values))


def asked(keys: Tensor, values: Tensor, seed: int, sharpness: float = 2.0) -> Asked:
    """Queries that each resemble one key's difference from the mean key, with noise."""
    generator = torch.Generator().manual_seed(seed)
    chosen = torch.randperm(keys.shape[1], generator=generator)[:32]
    apart = (keys - keys.mean(1, keepdim=True))[:, chosen].transpose(0, 1)  # [q, heads, d]
    apart = apart / apart.pow(2).mean(-1, keepdim=True).sqrt()
    noise = torch.randn(apart.shape, generator=generator)
    return Asked(keys, values, sharpness * apart + 0.3 * noise)
