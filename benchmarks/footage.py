"""Streams of dense visual tokens to time pruning on: real clips, a demo world, or shapes alone."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import torch

from core.errors import ConfigError
from core.frames import Frame, Segment
from core.tokens import Grid, VisualTokens
from models.vlm import VideoLanguageModel
from stream.sources import MaxPace, open_source
from stream.sources.base import EndOfSource
from stream.sources.sampler import Sampler

FPS: Final = 4.0
CELL: Final = 3 * 32 * 32  # pixel values under a visual token of Qwen3-VL, in one frame
_SUFFIXES: Final = {".mp4", ".mkv", ".webm", ".mov", ".avi"}


@dataclass(frozen=True, slots=True)
class Footage:
    """A stream in segments.

    Args:
        name: shown in tables.
        tokens: of each segment, dense, with attention.
        segments: what was encoded to them; empty where only the shapes are real.
    """

    name: str
    tokens: tuple[VisualTokens, ...]
    segments: tuple[Segment, ...] = ()


def seen(model: VideoLanguageModel, name: str, url: str, count: int, steps: int) -> Footage:
    """The beginning of a source through a model's eye.

    Args:
        model: whose eye.
        name: of the footage.
        url: a file, or a demo camera.
        count: segments at most; a file may end sooner.
        steps: temporal steps of each.

    Raises:
        SourceUnavailable: if it cannot be read.
        ConfigError: if it is shorter than a segment.
    """
    per_segment = steps * model.frames_per_step
    frames = asyncio.run(_frames(url, count * per_segment))
    starts = range(0, len(frames) - per_segment + 1, per_segment)
    segments = tuple(
        Segment(number, tuple(frames[start : start + per_segment]))
        for number, start in enumerate(starts)
    )
    if not segments:
        raise ConfigError(f"{name}: {len(frames)} frames are less than a segment")
    tokens = tuple(model.encode([one], attention=True, pixels=True)[0] for one in segments)
    return Footage(name, tokens, segments)


def clips(folder: Path) -> list[Path]:
    """The films in a folder, by name.

    Raises:
        ConfigError: if there is none.
    """
    found = sorted(path for path in folder.glob("*") if path.suffix.lower() in _SUFFIXES)
    if not found:
        raise ConfigError(f"--clips {folder}: no films ({', '.join(sorted(_SUFFIXES))})")
    return found


def shaped(
    name: str,
    grid: tuple[int, int],
    width: int,
    levels: int,
    count: int,
    steps: int,
    device: torch.device | str = "cpu",
) -> Footage:
    """Random features of a larger model's sizes; half of each step's tokens are nearly the last's.

    What they cost is real. What is kept of them says nothing.

    Args:
        name: of the footage.
        grid: rows and columns of a step.
        width: of a token.
        levels: of DeepStack.
        count: segments.
        steps: temporal steps of each.
        device: where the tokens lie.
    """
    generator = torch.Generator().manual_seed(0)
    size = grid[0] * grid[1]
    step = torch.randn(size, width, generator=generator)
    segments = []
    shape = (steps * size, 2, CELL)  # the same pixels in every segment: only their cost is read
    pixels = torch.randint(0, 256, shape, dtype=torch.uint8, generator=generator).to(device)
    for number in range(count):
        rows = []
        for _ in range(steps):
            moved = torch.rand(size, 1, generator=generator) < 0.5
            noise = torch.randn(size, width, generator=generator)
            step = torch.where(moved, noise, step + 0.05 * noise)
            rows.append(step)
        features = torch.cat(rows).to(device)
        shares = torch.rand(steps, size, generator=generator).softmax(dim=1).flatten()
        segments.append(
            VisualTokens(
                features=features,
                index=torch.arange(steps * size, device=device),
                grid=Grid(steps, *grid),
                times=tuple((number * steps + s) * 2 / FPS for s in range(steps)),
                deepstack=tuple(features.clone() for _ in range(levels)),
                attention=shares.to(device),
                pixels=pixels,
            )
        )
    return Footage(name, tuple(segments))


async def _frames(url: str, count: int) -> Sequence[Frame]:
    source = open_source(url, pace=MaxPace())
    frames: list[Frame] = []
    try:
        await source.open(Sampler(FPS))
        while len(frames) < count:
            frames.append(await source.recv())
    except EndOfSource:
        pass
    finally:
        await source.close()
    return frames
