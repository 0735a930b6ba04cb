"""Which steps are archived, in which runs, and which of them a question is about."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from memory.pool import KVShape
from memory.recall.arena import Arena
from memory.recall.finding import find
from memory.recall.landmarks import Landmarks
from memory.recall.tiers import Run, Span


@dataclass(slots=True, eq=False)
class Trace:
    """One archived temporal step; only its archive changes where it lies."""

    run: Run  # with its neighbours
    span: Span
    row: int  # of its landmark

    def __len__(self) -> int:
        return self.span.stop - self.span.start

    @property
    def time(self) -> float:
        """Stream seconds."""
        return self.span.time

    @property
    def base(self) -> int:
        """Its least position."""
        return self.span.base

    @property
    def size(self) -> int:
        """Positions it takes."""
        return self.span.size


class Index:
    """The steps of all runs, each with its landmark.

    Args:
        arena: in front of which landmarks lie.
        shape: of one token's keys and values.
    """

    def __init__(self, arena: Arena, shape: KVShape) -> None:
        self._landmarks = Landmarks(arena, shape)
        self._rows: list[Trace] = []  # by the row of their landmarks
        self._traces: dict[Run, list[Trace]] = {}

    def __len__(self) -> int:
        """Steps."""
        return len(self._rows)

    def __contains__(self, run: Run) -> bool:
        return run in self._traces

    @property
    def next_bytes(self) -> int:
        """Bytes of all landmarks if there were one more."""
        return (self._landmarks.count + 1) * self._landmarks.row

    def fits(self) -> bool:
        """Whether there is room for one more landmark."""
        return self._landmarks.fits()

    def of(self, run: Run) -> list[Trace]:
        """The steps of a run, oldest first."""
        return self._traces[run]

    def landmarks(self, runs: Sequence[Run]) -> dict[Run, Tensor]:
        """Of the steps of each, copied to the host at once, bfloat16 [steps, layers, kv_heads, d].

        All of them at once, since whoever waits for a device waits for each copy.
        """
        rows = [trace.row for run in runs for trace in self._traces[run]]
        found = self._landmarks.matrix.cpu()[torch.tensor(rows, dtype=torch.int64)]
        sizes = [len(self._traces[run]) for run in runs]
        return dict(zip(runs, torch.split(found, sizes), strict=True))

    def begin(self, run: Run) -> None:
        """Know a run, none of whose steps was added yet."""
        self._traces[run] = []

    def add(self, run: Run, span: Span, landmark: Tensor) -> None:
        """Add the next step of a run; `fits()`.

        Args:
            run: that was begun.
            span: of the step.
            landmark: [layers, kv_heads, d].
        """
        trace = Trace(run, span, self._landmarks.add(landmark))
        self._traces[run].append(trace)
        self._rows.append(trace)

    def join(self, alone: Sequence[Run], run: Run) -> None:
        """Let the steps of some runs be those of one, `run.spans`, instead."""
        self._traces[run] = [trace for each in alone for trace in self._traces.pop(each)]
        for trace, span in zip(self._traces[run], run.spans, strict=True):
            trace.run, trace.span = run, span

    def drop(self, run: Run) -> None:
        """Forget the steps of a run."""
        for trace in self._traces.pop(run):
            self._landmarks.remove(trace.row)
            last = self._rows.pop()
            if last is not trace:
                self._rows[trace.row], last.row = last, trace.row

    def find(self, queries: Tensor, budget: int, before: int | None) -> tuple[Trace, ...]:
        """See `memory.recall.archive.Archive.find`."""
        rows, among = self._rows, None
        if before is not None and any(x.base + x.size > before for x in rows):
            rows = [x for x in rows if x.base + x.size <= before]
            among = [x.row for x in rows]
        sizes = [len(x) for x in rows]
        chosen = find(self._landmarks.matrix, sizes, queries, budget, among)
        return tuple(sorted((rows[place] for place in chosen), key=lambda x: x.time))
