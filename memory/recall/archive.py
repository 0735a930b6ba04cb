"""The archive: temporal steps that the hot memory gave up, frozen, at most so many bytes.

Steps are held as they are until they fill blocks of the codec, and are then frozen together; each
has a landmark, the mean of its bare visual keys, by which a question finds it again. When bytes run
out, the run of steps goes whose neighbours in time are closest for its age: the recent past stays
dense, the far past gets thinner, and no stretch of it is emptied first. The oldest run stays.

Everything held is immutable, so what an answer took of it stays as it was. Belongs to one thread.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import torch
from torch import Tensor

from memory.codecs.block import TOKENS, blocks_of
from memory.codecs.codec import Codec
from memory.codecs.frozen import Frozen, Thawed, freeze
from memory.codecs.plain import Plain
from memory.rotation import Rotation
from memory.table import TokenTable

_FULL: Final = 0.9  # share of its blocks that a run fills
_MOST_BLOCKS: Final = 3  # that it waits for


@dataclass(frozen=True, slots=True, eq=False)
class Step:
    """One archived temporal step: where it lies in its run, and how it is found."""

    run: Frozen  # with its neighbours
    start: int  # tokens [start, stop) of the run
    stop: int
    time: float  # stream seconds
    base: int  # its least position
    size: int  # positions it takes
    landmark: Tensor  # bfloat16 [layers, kv_heads, d], the mean of its bare visual keys

    def __len__(self) -> int:
        return self.stop - self.start


@dataclass(frozen=True, slots=True, eq=False)
class Archived:
    """What an archive holds; changes no more."""

    codec: Codec
    runs: tuple[tuple[Step, ...], ...]  # oldest first, the steps of each frozen together
    alone: tuple[Step, ...]  # newer than all runs, each as it is
    forgotten: int  # temporal steps


class Archive:
    """A camera's frozen past.

    Args:
        codec: how keys and values are packed.
        rotation: how the model turns its keys.
        capacity: bytes it holds at most: codes, scales, positions, landmarks.
    """

    def __init__(self, codec: Codec, rotation: Rotation, capacity: int) -> None:
        if capacity < 1:
            raise ValueError(f"an archive holds at least 1 byte, not {capacity}")
        self._codec = codec
        self._rotation = rotation
        self.capacity = capacity
        self._runs: list[tuple[Step, ...]] = []  # oldest first
        self._gathering: list[Step] = []  # each alone, as it is
        self._bytes = 0  # of both
        self.forgotten = 0  # temporal steps

    @property
    def steps(self) -> tuple[Step, ...]:
        """All steps, oldest first; later calls of `put` leave it as it is."""
        return (*(step for run in self._runs for step in run), *self._gathering)

    @property
    def bytes(self) -> int:
        """Bytes held now."""
        return self._bytes

    def put(self, keys: Tensor, values: Tensor, tokens: TokenTable) -> None:
        """Take whole steps that the hot memory gives up, in order of time.

        Args:
            keys: as they are stored, rotated, [layers, kv_heads, n, d].
            values: [layers, kv_heads, n, d].
            tokens: what is known of them, [n]; no sink.
        """
        for group in np.unique(tokens.group):
            rows = np.flatnonzero(tokens.group == group)
            chosen, known = torch.from_numpy(rows), tokens.rows(rows)
            at = torch.from_numpy(known.positions)
            bare = self._rotation.take(keys[:, :, chosen], at).to(keys.dtype)
            self._gathering.append(_step(bare, values[:, :, chosen], known))
            self._bytes += _bytes(self._gathering[-1:])
        if _fills_blocks(sum(len(step) for step in self._gathering)):
            self._runs.append(_together(self._codec, self._gathering))
            self._bytes += _bytes(self._runs[-1]) - sum(_bytes([x]) for x in self._gathering)
            self._gathering = []
        self._fit()

    def state(self) -> Archived:
        """All that is held: what `restore` makes an archive of again."""
        return Archived(self._codec, tuple(self._runs), tuple(self._gathering), self.forgotten)

    def restore(self, state: Archived) -> None:
        """Hold what an archive of the same codec held, or as much of it as there are bytes for."""
        self._runs, self._gathering = list(state.runs), list(state.alone)
        self.forgotten = state.forgotten
        self._bytes = sum(map(_bytes, [*self._runs, *([step] for step in self._gathering)]))
        self._fit()

    def _fit(self) -> None:
        while self._bytes > self.capacity:
            gone = self._give_up()
            self._bytes -= _bytes(gone)
            self.forgotten += len(gone)

    def _give_up(self) -> Sequence[Step]:
        """Take out the run that is missed least, or without runs the oldest step alone."""
        if self._runs:
            return self._runs.pop(_closest([run[0].time for run in self._runs]))
        return (self._gathering.pop(0),)


def _fills_blocks(tokens: int) -> bool:
    """Whether so many are worth freezing together: blocks have one size, whatever they hold."""
    blocks = blocks_of(tokens)
    return tokens >= TOKENS and (tokens >= _FULL * TOKENS * blocks or blocks > _MOST_BLOCKS)


def thaw(steps: Sequence[Step]) -> list[Thawed]:
    """Bare keys, values and positions of each step; runs that several share are read once."""
    runs = {id(step.run): step.run for step in steps}
    read = {number: run.thaw() for number, run in runs.items()}
    found = []
    for step in steps:
        whole, part = read[id(step.run)], slice(step.start, step.stop)
        found.append(
            Thawed(whole.keys[:, :, part], whole.values[:, :, part], whole.positions[part])
        )
    return found


def _step(bare: Tensor, values: Tensor, known: TokenTable) -> Step:
    """One step alone, as it is."""
    seen = torch.from_numpy(known.visual)
    shown = bare[:, :, seen] if bool(seen.any()) else bare
    base, end = int(known.positions.min()), int(known.positions.max()) + 1
    return Step(
        freeze(Plain(), bare, values, torch.from_numpy(known.positions)),
        0,
        len(known),
        float(known.time[0]),
        base,
        end - base,
        shown.float().mean(2).to(torch.bfloat16),
    )


def _together(codec: Codec, steps: Sequence[Step]) -> tuple[Step, ...]:
    """Steps that were alone, frozen as one run."""
    found = thaw(steps)
    keys, values = (
        torch.cat(each, 2) for each in zip(*((x.keys, x.values) for x in found), strict=True)
    )
    run = freeze(codec, keys, values, torch.cat([x.positions for x in found]))
    stops = np.cumsum([len(step) for step in steps]).tolist()
    return tuple(
        replace(step, run=run, start=stop - len(step), stop=stop)
        for step, stop in zip(steps, stops, strict=True)
    )


def _bytes(run: Sequence[Step]) -> int:
    return run[0].run.nbytes + sum(step.landmark.nbytes for step in run)


def _closest(times: Sequence[float]) -> int:
    """Which of several moments is missed least: its neighbours are closest for its age.

    Neither the oldest nor the newest, while there are others: an oldest one that could go would
    always be the one, since it has a neighbour on one side only, and the past would end like a
    window's.
    """
    if len(times) < 3:
        return 0
    now = times[-1]
    gaps = [
        (times[i + 1] - times[i - 1]) / max(now - times[i], 1e-9) for i in range(1, len(times) - 1)
    ]
    return 1 + int(np.argmin(gaps))
