"""Telling a model from every other one: keys and values of one mean nothing to another."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Final

import torch
from torch import Tensor

from models.vlm import VideoLanguageModel

_BLOCK: Final = 8 * 4096  # bytes that are summed to one number


def fingerprint(model: VideoLanguageModel) -> str:
    """A SHA-256 of all that a stored key depends on; equal on every device.

    Not for weights in fewer bits: where they were packed is part of how they are.

    Name and architecture, the shape and type of keys, how they are turned, the words that stand
    before everything a camera sees, and a checksum of every weight. Training, an adapter or a hand
    that changes a single number makes it another model; only numbers that change places within
    32 KiB of one tensor would not be noticed.

    Each weight is read once, where it lies, and summed as integers: this takes what reading memory
    takes, less than loading them did. The 16 GB of 8 billion bfloat16 weights take one CPU core
    about a second.

    Args:
        model: nobody may be running it.
    """
    info, shape, rotation = model.info, model.shape, model.rotation
    words = model.prefix().embeds.detach().float().cpu()
    found = hashlib.sha256(repr((info.name, info.architecture, shape)).encode())
    for tensor in (rotation.frequencies.double(), rotation.axes.long(), words):
        _add(found, tensor)
    for name, weight in model.weights():
        for part, plain in _plain(name, weight):
            found.update(repr((part, str(plain.dtype), tuple(plain.shape))).encode())
            _add(found, sums(plain))
    return found.hexdigest()


def sums(weight: Tensor) -> Tensor:
    """A checksum of every 32 KiB of a tensor: its bits, read as 64-bit integers, added up.

    Args:
        weight: of any shape, type and device.

    Returns:
        int64 [blocks], modulo 2**64; another number anywhere makes another sum.
    """
    data = weight.detach().contiguous().flatten().view(torch.uint8)
    if data.storage_offset() % 8:  # part of something larger, and not at a border of words
        data = data.clone()
    whole = len(data) // _BLOCK * _BLOCK
    rest = data[whole:]
    last = torch.zeros(_BLOCK, dtype=torch.uint8, device=data.device)
    last[: len(rest)] = rest
    found = [data[:whole].view(torch.int64).view(-1, _BLOCK // 8), last.view(torch.int64)[None]]
    return torch.cat([words.sum(dim=1) for words in found]).cpu()


def _plain(name: str, weight: Tensor) -> Iterator[tuple[str, Tensor]]:
    """A weight; of one that is made of others (codes, scales), those."""
    parts = getattr(weight, "__tensor_flatten__", None)  # torch's protocol for such tensors
    if parts is None:
        yield name, weight
        return
    for part in parts()[0]:
        yield from _plain(f"{name}.{part}", getattr(weight, part))


def _add(found: hashlib._Hash, tensor: Tensor) -> None:
    data = tensor.cpu().contiguous()
    found.update(repr(tuple(data.shape)).encode())
    found.update(data.view(torch.uint8).numpy().tobytes())
