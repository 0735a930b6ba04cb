"""Does what the scheduler decided: encodes and packed forwards. No policy, no threads."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import torch
from torch import Tensor
from torch.profiler import record_function

from core.frames import Segment
from core.sending import sent
from engine.decoding import DecodeForward
from engine.lanes import Lane, Seeing, lane_for
from engine.rows import Row
from engine.stopwatch import stopwatch_for
from memory.pool import PagePool
from memory.readers.reader import Plan, Reader
from memory.readers.tables import Span
from models.vlm import VideoLanguageModel

__all__ = ["Row", "Runner"]


class Runner:
    """A model over a pool.

    Args:
        model: what to run.
        pool: where keys and values go.
        reader: how attention reads them.
        decoding: runs what it takes, where all rows bring one word; None: all is packed anew.
        lane: where the eye computes; None: what suits the device.
    """

    def __init__(
        self,
        model: VideoLanguageModel,
        pool: PagePool,
        reader: Reader,
        decoding: DecodeForward | None = None,
        lane: Lane | None = None,
    ) -> None:
        self.model = model
        self.lane = lane or lane_for(model.device)
        self.watch = stopwatch_for(model.device, self.lane)
        self.pool = pool
        self.reader = reader
        self._decoding = decoding

    def see(
        self,
        segments: Sequence[Segment],
        *,
        attention: bool,
        pixels: bool,
        size: tuple[int, int] | None = None,
    ) -> list[Seeing]:
        """Launch one call of the vision tower; see `VideoLanguageModel.encode`."""
        with record_function("lookout.encode"):
            return self.lane.run(
                partial(self.model.encode, segments, attention=attention, pixels=pixels, size=size)
            )

    def forward(self, rows: Sequence[Row]) -> Tensor:
        """Run all rows packed, weights read once; logits of each row's last token [rows, vocab].

        If it fails, the scratches are as they were before, and nothing of it was noted.
        """
        held = [row.scratch.held for row in rows]
        noted = [(row.observed, row.observed.mark()) for row in rows if row.observed is not None]
        try:
            if self._decoding is not None and self._decoding.takes(rows):
                with record_function("lookout.decode"):
                    return self._decoding.forward(rows)
            with record_function("lookout.forward"):
                return self.model.forward([row.chunk for row in rows], self._plan(rows))
        except BaseException:
            for row, before in zip(rows, held, strict=True):
                row.scratch.rewind(before)
            for observed, mark in noted:
                observed.rewind(mark)
            raise

    def _plan(self, rows: Sequence[Row]) -> Plan:
        spans, slots, start = [], [], 0
        for row in rows:
            stop = start + len(row.chunk)
            slots.append(row.scratch.extend(len(row.chunk)))
            noted = self._visual(row) if row.visual_only else None
            spans.append(Span(start, stop, row.memory, row.scratch.view(), row.observed, noted))
            start = stop
        return Plan(self.pool, tuple(spans), torch.cat(slots), self.reader)

    def _visual(self, row: Row) -> Tensor:
        """Which of its tokens are visual, int64 [v], on the device: once for all layers."""
        return sent(row.chunk.visual.nonzero()[:, 0], self.pool.device)
