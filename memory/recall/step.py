"""Archived temporal steps whose bytes are at hand, and what comes out of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from memory.codecs.frozen import Frozen, Thawed, remaining


@dataclass(frozen=True, slots=True, eq=False)
class Step:
    """One archived temporal step: where it lies in its run, and in the stream."""

    run: Frozen  # with its neighbours
    start: int  # tokens [start, stop) of the run
    stop: int
    time: float  # stream seconds
    base: int  # its least position
    size: int  # positions it takes

    def __len__(self) -> int:
        return self.stop - self.start


def thaw(steps: Sequence[Step]) -> list[Thawed]:
    """Bare keys, values and positions of each step; runs that several share are read once.

    Args:
        steps: on one device, which is waited for once.
    """
    runs = {id(step.run): step.run for step in steps}
    left = remaining(list(runs.values())) if runs else []
    read = {number: run.thaw(rows) for (number, run), rows in zip(runs.items(), left, strict=True)}
    found = []
    for step in steps:
        whole, part = read[id(step.run)], slice(step.start, step.stop)
        found.append(
            Thawed(whole.keys[:, :, part], whole.values[:, :, part], whole.positions[part])
        )
    return found
