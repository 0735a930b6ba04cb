"""Weights of selectors that are trained: files of tensors that say what they are for.

A file is in the safetensors format; its metadata hold the network's name and shape. What does not
fit is refused whole, with what is wrong, and never loaded in part.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from core.errors import ModelLoadFailed


@dataclass(frozen=True)
class Shape:
    """The sizes of one decoder layer of a language model of the Qwen3-VL family."""

    width: int  # of the tokens
    heads: int
    kv_heads: int
    head_dim: int
    hidden: int  # inside the feed-forward part
    theta: float = 5e6  # base of the rotary frequencies
    sections: tuple[int, int, int] = (24, 20, 20)  # frequencies for time, rows and columns
    eps: float = 1e-6

    def __post_init__(self) -> None:
        if self.heads % self.kv_heads:
            raise ValueError(f"{self.heads} heads cannot share {self.kv_heads}")
        if sum(self.sections) * 2 != self.head_dim:
            raise ValueError(f"sections {self.sections} are not half of {self.head_dim}")

    @classmethod
    def small(cls, width: int) -> Shape:
        """A layer for tokens of this width where there is no language model to take it from."""
        heads = max(width // 64, 2)
        head_dim = max(width // heads // 2 * 2, 2)
        side = head_dim // 6
        return cls(width, heads, heads, head_dim, 2 * width, 1e4, (head_dim // 2 - 2 * side, side, side))  # fmt: skip # noqa: E501


def fill(module: nn.Module, weights: Mapping[str, Tensor], whose: str) -> None:
    """Give a module these weights, all of them and no others.

    Args:
        module: what they are for.
        weights: by the module's own names.
        whose: how an error names them.

    Raises:
        ModelLoadFailed: naming a tensor that is missing, unknown, of another shape or not finite.
    """
    wanted = module.state_dict()
    for name, own in wanted.items():
        if name not in weights:
            raise ModelLoadFailed(f"{whose} lacks {name}")
        if weights[name].shape != own.shape:
            raise ModelLoadFailed(
                f"{whose} holds {name} as {tuple(weights[name].shape)}, not {tuple(own.shape)}"
            )
        if not bool(torch.isfinite(weights[name]).all()):
            raise ModelLoadFailed(f"{whose} holds NaN or infinity in {name}")
    if unknown := sorted(set(weights) - set(wanted)):
        raise ModelLoadFailed(f"{whose} holds {unknown[0]}, which is not known here")
    module.load_state_dict({name: weights[name].float() for name in wanted})


def write(path: Path, module: nn.Module, network: str, shape: Shape) -> None:
    """Save a network's weights with its name and shape."""
    about = {"network": network, "shape": json.dumps(asdict(shape))}
    save_file({k: v.contiguous() for k, v in module.state_dict().items()}, path, metadata=about)


def read(path: Path, network: str) -> tuple[Shape, dict[str, Tensor]]:
    """The shape and the weights of a file that `write` made.

    Raises:
        ModelLoadFailed: if the file is not there, damaged, or of another network.
    """
    try:
        with safe_open(path, framework="pt") as file:
            about = file.metadata() or {}
            weights = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (OSError, SafetensorError) as error:
        raise ModelLoadFailed(f"{path} cannot be read as weights: {error}") from error
    if about.get("network") != network:
        found = about.get("network", "nothing that says so")
        raise ModelLoadFailed(f"{path} holds {found}, not weights of {network}")
    try:
        sizes = json.loads(about["shape"])
        return Shape(**{**sizes, "sections": tuple(sizes["sections"])}), weights
    except (KeyError, TypeError, ValueError) as error:
        raise ModelLoadFailed(f"{path} does not say its shape: {error}") from error
