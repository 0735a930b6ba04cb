"""Keys and values to measure codecs on: what a model remembers of a stream, or drawn ones."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor

from benchmarks.footage import seen
from core.errors import ConfigError
from engine.runner import Row, Runner
from memory.memory import KVMemory
from memory.policies.sink_window import SinkWindow
from memory.pool import PagePool
from memory.readers.torch_reader import TorchReader
from memory.rotation import Rotation
from memory.scratch import Scratch
from models.vlm import VideoLanguageModel
from pruning.none import Dense
from pruning.online import OnlinePruner

_PAGE: Final = 16
_MARK: Final = 16  # tokens beside the visual ones of a step, at most


@dataclass(frozen=True, slots=True, eq=False)
class Held:
    """What a memory holds, as it is frozen."""

    name: str
    keys: Tensor  # un-rotated, [layers, kv_heads, n, d]
    values: Tensor  # [layers, kv_heads, n, d]
    positions: Tensor  # int64 [n, 3]
    rotation: Rotation


def watched(model: VideoLanguageModel, url: str, tokens: int) -> Held:
    """The first tokens that a model remembers of a source, none pruned.

    Raises:
        SourceUnavailable: if it cannot be read.
        ConfigError: if it is too short.
    """
    per_step = seen(model, url, url, 1, 1).tokens[0].grid.per_step
    footage = seen(model, url, url, -(-tokens // per_step), 1)
    capacity = len(footage.tokens) * (per_step + _MARK)
    pool = PagePool(model.shape, 2 * (-(-capacity // _PAGE) + 1), _PAGE, model.device)
    runner, memory = Runner(model, pool, TorchReader()), KVMemory(pool, capacity, SinkWindow())
    pruner = OnlinePruner(Dense(), per_step)
    for segment in footage.tokens:
        for steps in pruner.push(segment):
            chunk = model.lay_steps(steps, memory.next_position)
            scratch = Scratch(pool, len(chunk))
            runner.forward([Row(chunk, memory.view(), scratch)])
            at = chunk.positions.T.contiguous().numpy()
            memory.append(scratch.view().slots, at, chunk.times.numpy())
            memory.next_position = chunk.next_position
            scratch.release()
    state = memory.state()
    if state.held < tokens:
        raise ConfigError(f"--tokens {tokens}: {url} shows {state.held} only")
    positions = torch.from_numpy(state.tokens.positions[:tokens])
    bare = model.rotation.take(state.keys[:, :, :tokens], positions).to(state.keys.dtype)
    values = state.values[:, :, :tokens]
    return Held(url, bare.to(model.device), values.to(model.device), positions, model.rotation)


def drawn(name: str, shape: tuple[int, int, int], tokens: int, device: torch.device) -> Held:
    """Random ones of a larger model's sizes, bfloat16; one channel of keys in eight is loud.

    What they cost is real. What is lost of them only says how codecs compare.

    Args:
        name: of what is held.
        shape: layers, kv_heads, d.
        tokens: how many.
        device: where they lie.
    """
    layers, heads, d = shape
    draw = torch.Generator().manual_seed(0)
    place = torch.randn(layers, heads, 1, d, generator=draw)
    place[..., ::8] *= 12
    keys, values = (torch.randn(layers, heads, tokens, d, generator=draw) for _ in range(2))
    at = torch.arange(tokens)
    positions = torch.stack([at // 64, at // 8 % 8, at % 8], 1)
    dtype = torch.bfloat16
    return Held(
        name, (keys + place).to(device, dtype), values.to(device, dtype), positions,
        Rotation.plain(d, 5_000_000.0),
    )  # fmt: skip
