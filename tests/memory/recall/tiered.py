"""An archive in tiers, for tests, and what it holds."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import torch

from memory.codecs.codec import Codec
from memory.codecs.plain import Plain
from memory.recall.archive import Archive
from memory.recall.disk import Disk
from memory.recall.step import Step, thaw
from memory.recall.tiers import Tier
from tests.memory.recall.steps import ROTATION, SHAPE, put, step

RUN = 20_000  # bytes, more than a run of 64 tokens takes


def archive(
    folder: Path | None = None,
    *,
    codec: Codec | None = None,
    device: int = 6 * RUN,
    host: int = 6 * RUN,
    files: int = 100 * RUN,
    lasting: bool = False,
) -> Archive:
    disk = None if folder is None else Disk(folder, files, lasting=lasting)
    return Archive(codec or Plain(), ROTATION, SHAPE, device, host_bytes=host, disk=disk)


def until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not holds():
        assert time.monotonic() < deadline, "it never came to be"
        time.sleep(0.002)


def watch(kept: Archive, first: int, last: int, places: int = 15) -> None:
    """Steps that fill a run each four; the disk has time to take what it should."""
    for number in range(first, last):
        put(kept, step(number, places))
        until(lambda: kept.settled)


def tiers(kept: Archive) -> set[Tier]:
    return {one.run.tier for one in kept.steps}


def bytes_of(steps: list[Step]) -> dict[float, tuple[torch.Tensor, ...]]:
    return {
        one.time: (x.keys, x.values, x.positions) for one, x in zip(steps, thaw(steps), strict=True)
    }


def same(one: tuple[torch.Tensor, ...], other: tuple[torch.Tensor, ...]) -> bool:
    return all(torch.equal(a, b) for a, b in zip(one, other, strict=True))


def on_disk(kept: Archive, folder: Path) -> list[Path]:
    files = {x.run.file.name: None for x in kept.steps if x.run.file is not None}
    return [folder / name for name in files]
