"""Telling a model from every other one: keys and values of one mean nothing to another."""

from __future__ import annotations

import hashlib

import torch

from models.vlm import VideoLanguageModel


def fingerprint(model: VideoLanguageModel) -> str:
    """A SHA-256 of what a stored key depends on that is quick to look at.

    Name and architecture, the shape and type of keys, how they are turned, and the words that stand
    before everything a camera sees, as they are embedded: training on changes these too. Weights
    that were changed elsewhere alone, by hand or by an adapter, are not told apart.

    Args:
        model: nobody may be running it.
    """
    info, shape, rotation = model.info, model.shape, model.rotation
    words = model.prefix().embeds.detach().float().cpu().contiguous()
    found = hashlib.sha256(repr((info.name, info.architecture, shape)).encode())
    for tensor in (rotation.frequencies.double(), rotation.axes.long(), words):
        data = tensor.cpu().contiguous()
        found.update(repr(tuple(data.shape)).encode())
        found.update(data.view(torch.uint8).numpy().tobytes())
    return found.hexdigest()
