"""One decoder layer of the Qwen3-VL family, in which every token reads every other.

Its tensors have the names of such a layer in a checkpoint, so that it can start as layer 0 of the
language model. What it adds is only that attention is not causal. Angles are taken in float64.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from core.tokens import Grid
from pruning.selectors.weights import Shape


class RMSNorm(nn.Module):
    """Root mean square normalisation over the last dimension, with learned weights."""

    def __init__(self, width: int, eps: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))
        self.eps = eps

    def forward(self, x: Tensor) -> Tensor:
        """Same shape as `x`."""
        return self.weight * (x * (x.square().mean(dim=-1, keepdim=True) + self.eps).rsqrt())


class Attention(nn.Module):
    """Attention over a whole sequence, heads sharing keys and values in groups."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape = shape
        inner, shared = shape.heads * shape.head_dim, shape.kv_heads * shape.head_dim
        self.q_proj = nn.Linear(shape.width, inner, bias=False)
        self.k_proj = nn.Linear(shape.width, shared, bias=False)
        self.v_proj = nn.Linear(shape.width, shared, bias=False)
        self.o_proj = nn.Linear(inner, shape.width, bias=False)
        self.q_norm = RMSNorm(shape.head_dim, shape.eps)
        self.k_norm = RMSNorm(shape.head_dim, shape.eps)

    def forward(self, x: Tensor, waves: tuple[Tensor, Tensor]) -> Tensor:
        """[n, d] to [n, d]; `waves` as `rotary` gives them."""
        n, e = len(x), self.shape.head_dim
        query = _rotated(self.q_norm(self.q_proj(x).view(n, -1, e)).transpose(0, 1), waves)
        key = _rotated(self.k_norm(self.k_proj(x).view(n, -1, e)).transpose(0, 1), waves)
        value = self.v_proj(x).view(n, -1, e).transpose(0, 1)
        groups = self.shape.heads // self.shape.kv_heads
        key, value = (part.repeat_interleave(groups, dim=0) for part in (key, value))
        read = F.scaled_dot_product_attention(query[None], key[None], value[None])[0]
        out: Tensor = self.o_proj(read.transpose(0, 1).reshape(n, -1))
        return out


class FeedForward(nn.Module):
    """The gated feed-forward part."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.gate_proj = nn.Linear(shape.width, shape.hidden, bias=False)
        self.up_proj = nn.Linear(shape.width, shape.hidden, bias=False)
        self.down_proj = nn.Linear(shape.hidden, shape.width, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """[n, d] to [n, d]."""
        out: Tensor = self.down_proj(F.silu(self.gate_proj(x)) * self.up_proj(x))
        return out


class DecoderLayer(nn.Module):
    """The layer.

    Args:
        shape: its sizes.
    """

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape = shape
        self.self_attn = Attention(shape)
        self.mlp = FeedForward(shape)
        self.input_layernorm = RMSNorm(shape.width, shape.eps)
        self.post_attention_layernorm = RMSNorm(shape.width, shape.eps)

    def forward(self, x: Tensor, positions: Tensor) -> Tensor:
        """Hidden states [n, d] after the layer.

        Args:
            x: before it, float32 [n, d].
            positions: int64 [3, n], rotary (t, h, w).
        """
        x = x + self.self_attn(self.input_layernorm(x), rotary(positions, self.shape))
        x = x + self.mlp(self.post_attention_layernorm(x))
        return x


def rotary(positions: Tensor, shape: Shape) -> tuple[Tensor, Tensor]:
    """Cosines and sines, each float32 [n, head_dim], frequencies of t, h and w interleaved.

    Args:
        positions: int64 [3, n].
        shape: base and sections.
    """
    half = torch.arange(shape.head_dim // 2, dtype=torch.float64, device=positions.device)
    angles = positions[..., None].double() * shape.theta ** (-2 * half / shape.head_dim)
    mixed = angles[0].clone()  # [n, head_dim / 2]
    for axis in (1, 2):
        turn = slice(axis, 3 * shape.sections[axis], 3)
        mixed[:, turn] = angles[axis][:, turn]
    whole = torch.cat([mixed, mixed], dim=-1)
    return whole.cos().float(), whole.sin().float()


def positions(index: Tensor, grid: Grid, words: int) -> Tensor:
    """Rotary positions of a bank and the words after it, int64 [3, n + words].

    A bank stands as one video does: (t, h, w) are its step, row and column. Words follow behind the
    furthest of them, one by one.

    Args:
        index: int64 [n], of the bank.
        grid: of the bank.
        words: how many there are.
    """
    place = index % grid.per_step
    seen = torch.stack([index // grid.per_step, place // grid.w, place % grid.w])
    said = torch.arange(words, device=index.device) + max(grid)
    return torch.cat([seen, said.expand(3, -1)], dim=1)


def _rotated(x: Tensor, waves: tuple[Tensor, Tensor]) -> Tensor:
    """[heads, n, e], turned by its positions."""
    one, other = x.chunk(2, dim=-1)
    return x * waves[0] + torch.cat([-other, one], dim=-1) * waves[1]
