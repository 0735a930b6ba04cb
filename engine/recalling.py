"""Reading the past: which archived steps a question reads beside the hot memory, and where.

The question's words look at the hot memory once, which gives queries; the archived steps that
answer to them are thawed into the answer's private pages, before the question, at positions between
the fixed beginning and the hot memory. Steps on disk are waited for by the question alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import torch
from torch import Tensor

from engine.runner import Row, Runner
from memory.codecs.codec import Codec
from memory.observation import Observed
from memory.packed.choice import choose
from memory.readers.reader import Demand
from memory.recall.archive import Archive
from memory.recall.disk import GONE, Disk
from memory.recall.gate import Gate
from memory.recall.opening import Opening
from memory.recall.placing import place
from memory.recall.step import Step
from memory.recall.tiers import Tier
from memory.scratch import Scratch
from memory.snapshot import Extent, Snapshot
from models.vlm import VideoLanguageModel

_ARCHIVE: Final = "archive-"  # before the camera's name


@dataclass(frozen=True, slots=True)
class Drawer:
    """Where archived runs of one camera go that host memory has no room for.

    Args:
        folder: of this camera alone.
        nbytes: of all files at most.
        lasting: whether files stay when the camera ends, because its saved memory refers to them.

    Raises:
        ValueError: if there are no bytes.
    """

    folder: Path
    nbytes: int
    lasting: bool = False

    def __post_init__(self) -> None:
        if self.nbytes < 1:
            raise ValueError(f"no files of {self.nbytes} bytes")

    def of(self, camera: str) -> Drawer:
        """That of one camera, in a folder of all."""
        return replace(self, folder=self.folder / f"{_ARCHIVE}{camera}")

    def all(self) -> list[Path]:
        """Those that are there, in a folder of all, and what is left of those that are gone."""
        named = [each for start in (_ARCHIVE, GONE) for each in self.folder.glob(f"{start}*")]
        return [path for path in named if path.is_dir()]


@dataclass(frozen=True, slots=True)
class Recalling:
    """How cameras keep what the hot memory gives up, and when answers read it.

    Args:
        codec: how it is frozen.
        gate: which questions read it.
        archive_bytes: of one camera on the device, set aside when it is attached.
        budget: tokens that an answer reads of it at most.
        host_bytes: of one camera in host memory, set aside likewise; 0 for none.
        drawer: on disk; None for nowhere.

    Raises:
        ValueError: if a number is too small, or there is a disk and no host memory.
    """

    codec: Codec
    gate: Gate
    archive_bytes: int
    budget: int
    host_bytes: int = 0
    drawer: Drawer | None = None

    def __post_init__(self) -> None:
        if self.archive_bytes < 1 or self.budget < 1 or self.host_bytes < 0:
            raise ValueError(f"no archive of {self.archive_bytes} bytes, {self.budget} tokens")
        if self.drawer is not None and not self.host_bytes:
            raise ValueError("runs go to disk by way of host memory: it needs some")

    @property
    def reserved_bytes(self) -> int:
        """Of one camera, on the device and on the host."""
        return self.archive_bytes + self.host_bytes

    def of(self, camera: str, *, on_disk: bool) -> Recalling:
        """How one camera does it.

        Args:
            camera: its name.
            on_disk: whether what it saw may be written to disk.
        """
        drawer = self.drawer.of(camera) if self.drawer is not None and on_disk else None
        return replace(self, drawer=drawer)

    def archive(self, model: VideoLanguageModel) -> Archive:
        """A new camera's archive.

        Raises:
            CapacityExceeded: if there is no room for its bytes.
        """
        drawer, disk = self.drawer, None
        if drawer is not None:
            disk = Disk(drawer.folder, drawer.nbytes, lasting=drawer.lasting)
        return Archive(
            self.codec,
            model.rotation,
            model.shape,
            self.archive_bytes,
            model.device,
            host_bytes=self.host_bytes,
            disk=disk,
        )


@dataclass(frozen=True, slots=True, eq=False)
class Recalled:
    """Archived steps and the least position that each is read at."""

    steps: tuple[Step, ...] = ()
    bases: tuple[int, ...] = ()
    stretches: tuple[tuple[float, float], ...] = ()  # stream seconds, each read whole
    tiers: tuple[Tier, ...] = ()  # where each stretch lay

    def __len__(self) -> int:
        """Tokens."""
        return sum(len(step) for step in self.steps)


class Seeking:
    """What a question found and waits for; see `seek`.

    Args:
        extent: of the snapshot that it reads beside.
        opening: of the steps found; None if nothing was.
    """

    def __init__(self, extent: Extent, opening: Opening | None = None) -> None:
        self._extent = extent
        self._opening = opening

    @property
    def ready(self) -> bool:
        """Whether it waits no longer."""
        return self._opening is None or self._opening.ready

    def recalled(self, archive: Archive | None, device: torch.device) -> Recalled:
        """What the question reads of it; steps that did not come are left out."""
        if self._opening is None:
            return Recalled()
        if archive is not None:
            archive.finish(self._opening)
        came = [each for each in self._opening.steps(device) if each is not None]
        while came:
            steps = tuple(step for step, _ in came)
            bases = place(steps, self._extent.floor, self._extent.oldest_position)
            if bases is not None:
                return Recalled(steps, tuple(bases), *_stretches(came))
            came = came[1:]
        return Recalled()

    def abandon(self) -> None:
        """Nobody reads it any more: ask the disk no more for what has not come. Idempotent."""
        if self._opening is not None:
            self._opening.abandon()


def seek(runner: Runner, snapshot: Snapshot, archive: Archive, text: str, budget: int) -> Seeking:
    """Find what a question reads of an archive, and begin to fetch it.

    Args:
        runner: runs the question's words once.
        snapshot: of the hot memory; only steps before what it holds are read.
        archive: of the same camera.
        text: of the question.
        budget: tokens at most.
    """
    model, extent = runner.model, snapshot.extent
    ids, ending = model.question_ids(text, (), ""), model.question_ids("", (), "")
    own = ids[: len(ids) - len(ending)]
    if not archive.holds_any or not own:
        return Seeking(extent)
    found = archive.find(_queries(runner, snapshot, own), budget, extent.oldest_position)
    return Seeking(extent, archive.open(found))


def _queries(runner: Runner, snapshot: Snapshot, own: Sequence[int]) -> Tensor:
    """Of a question's own words, without positions, [layers, words, heads, d]."""
    model = runner.model
    chunk = model.lay_text(own, snapshot.extent.next_position)
    observed = Observed(len(own))
    scratch = Scratch(runner.pool, len(own))
    try:
        runner.forward([Row(chunk, snapshot.view, scratch, observed)])
    finally:
        scratch.release()
    layers = range(model.shape.layers)
    rotated = torch.stack([observed.queries(layer) for layer in layers])  # [l, words, heads, d]
    return model.rotation.take(rotated.transpose(1, 2), chunk.positions.T).transpose(1, 2)


def _stretches(
    came: Sequence[tuple[Step, Tier]],
) -> tuple[tuple[tuple[float, float], ...], tuple[Tier, ...]]:
    """Steps of one tier between which nothing was seen, as one stretch of time each.

    Neighbours in the archive may lie hours apart, where what was between them was forgotten.
    """
    found: list[tuple[float, float]] = []
    tiers: list[Tier] = []
    end = -1  # position after the step before
    for step, tier in came:
        if step.base == end and tiers[-1] is tier:
            found[-1] = (found[-1][0], step.time)
        else:
            found.append((step.time, step.time))
            tiers.append(tier)
        end = step.base + step.size
    return tuple(found), tuple(tiers)


def put(runner: Runner, recalled: Recalled, scratch: Scratch) -> None:
    """Thaw into the first slots of an answer's private pages."""
    if not recalled.steps:
        return
    pool = runner.pool
    unpacker = choose(Demand(pool.device, pool.shape, pool.page_size))
    slots = scratch.extend(len(recalled))
    unpacker.put(recalled.steps, recalled.bases, runner.model.rotation, pool, slots)
