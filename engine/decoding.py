"""Forwards in which every row brings one word: over buffers that stay where they are.

Without that a GPU waits for the host, which has hundreds of kernels to launch for each word. Here
one forward is recorded for each of a few numbers of rows and replayed from then on; what differs
from word to word is copied into the buffers before. Rows that are missing repeat the last one: they
write the same keys and values into the same slot.
"""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from engine.limits import Limits
from engine.rows import Row
from memory.pool import PagePool
from memory.readers.reader import Reader, StaticPlan
from memory.readers.static import StaticTables
from memory.scratch import Scratch
from memory.view import View
from models.vlm import VideoLanguageModel

log = logging.getLogger("lookout.engine")

Work = Callable[[], Tensor]


class Recorder(ABC):
    """Makes work that can be done again."""

    @abstractmethod
    def record(self, work: Work) -> Work:
        """Does what `work` does, with whatever then stands in the same tensors."""


class Repeating(Recorder):
    """Does the work again: no faster, but everywhere."""

    def record(self, work: Work) -> Work:
        """See `Recorder.record`."""
        return work


class Graphs(Recorder):
    """CUDA graphs. All share their memory, since only one is ever replayed at a time.

    Args:
        device: of all tensors.
    """

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._stream = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
        self._memory = torch.cuda.graph_pool_handle()

    def record(self, work: Work) -> Work:
        """See `Recorder.record`. The work is done a few times, so that all kernels are ready."""
        with torch.cuda.device(self._device):
            self._stream.wait_stream(torch.cuda.current_stream())
            with torch.cuda.stream(
                self._stream
            ):  # the one that is recorded: libraries keep handles
                for _ in range(2):
                    work()
            torch.cuda.current_stream().wait_stream(self._stream)
            graph = torch.cuda.CUDAGraph()
            # Other threads may go on with their own work: it is not recorded.
            with torch.cuda.graph(
                graph, pool=self._memory, stream=self._stream, capture_error_mode="thread_local"
            ):
                out = work()

        def replay() -> Tensor:
            graph.replay()
            return out

        return replay


class DecodeForward:
    """Runs rows of one word each.

    Args:
        model: what to run.
        pool: where keys and values go.
        reader: how attention reads them; a replayable one.
        memory_tokens: most that a row remembers.
        scratch_tokens: most that a row has in its scratch.
        rows: most at once.
        recorder: how work is done again.

    Raises:
        ValueError: if the reader cannot be replayed.
    """

    def __init__(
        self,
        model: VideoLanguageModel,
        pool: PagePool,
        reader: Reader,
        *,
        memory_tokens: int,
        scratch_tokens: int,
        rows: int,
        recorder: Recorder,
    ) -> None:
        if not reader.replayable:
            raise ValueError(f"{type(reader).__name__} computes on the host: it cannot be replayed")
        self._batches = [
            _Batch(
                model, pool, reader,
                StaticTables(pool, n, memory_tokens, scratch_tokens, by_head=reader.by_head),
            )
            for n in sizes(rows)
        ]  # fmt: skip
        self._recorder = recorder

    def prepare(self) -> None:
        """Record every number of rows now, so that nobody waits for it later.

        The pool must hold nothing yet: its first slot is written.
        """
        for batch in self._batches:
            if batch.replay is None:
                batch.replay = self._recorder.record(batch.work)

    def takes(self, rows: Sequence[Row]) -> bool:
        """Whether it can run them: a word each, that nobody notes, and not too many."""
        return len(rows) <= self._batches[-1].size and all(map(self._batches[-1].takes, rows))

    def forward(self, rows: Sequence[Row]) -> Tensor:
        """Logits of each row's next word, float32 [rows, vocab].

        Its scratch is one longer afterwards, also when it fails.

        Args:
            rows: which it takes.
        """
        batch = next(b for b in self._batches if b.size >= len(rows))
        batch.load(rows)
        if batch.replay is None:
            batch.replay = self._recorder.record(batch.work)
        return batch.replay()[: len(rows)].clone()  # the next one overwrites it


def sizes(rows: int) -> list[int]:
    """Numbers of rows that are recorded: powers of two up to so many, and so many.

    Args:
        rows: most at once, at least 1.
    """
    return [*(2**n for n in range((rows - 1).bit_length())), rows]


def graphed(
    model: VideoLanguageModel,
    pool: PagePool,
    reader: Reader,
    limits: Limits,
) -> DecodeForward | None:
    """Recorded as CUDA graphs, all of them now; None where there are none or they cannot be had.

    Args:
        model: what to run.
        pool: where keys and values go; it holds nothing yet.
        reader: how attention reads them.
        limits: of answers.
    """
    if pool.device.type != "cuda" or not reader.replayable:
        return None
    forward = DecodeForward(
        model, pool, reader,
        memory_tokens=limits.capacity + limits.noting,
        scratch_tokens=limits.private_tokens(model.marker_tokens),
        rows=limits.answers, recorder=Graphs(pool.device),
    )  # fmt: skip
    try:
        forward.prepare()
    except torch.OutOfMemoryError:
        raise
    except RuntimeError:
        log.exception("forwards of single words cannot be recorded here; each is launched anew")
        return None
    return forward


class _Batch:
    """The buffers of so many rows.

    Args:
        model: what to run.
        pool: where keys and values go.
        reader: how attention reads them.
        tables: what it reads.
    """

    def __init__(
        self, model: VideoLanguageModel, pool: PagePool, reader: Reader, tables: StaticTables
    ) -> None:
        self.size = tables.rows
        self.replay: Work | None = None
        self._model, self._tables = model, tables
        width = model.prefix().embeds
        device = pool.device
        self._embeds = torch.zeros(self.size, width.shape[1], dtype=width.dtype, device=device)
        # Of each row: three positions, the slot it writes, what it reads of memory and of scratch.
        self._numbers = torch.zeros(6, self.size, dtype=torch.int64, device=device)
        self._plan = StaticPlan(pool, (), self._numbers[3], reader, tables.tables)
        self._memories: list[View | None] = [None] * self.size
        self._scratches: list[tuple[Scratch, int] | None] = [None] * self.size

    def takes(self, row: Row) -> bool:
        """Whether this row can be among them."""
        plain = len(row.chunk) == 1 and not row.chunk.deepstack and row.observed is None
        return plain and self._tables.fits(row.memory, row.scratch.held + 1)

    def load(self, rows: Sequence[Row]) -> None:
        """Put rows into the buffers; their scratches grow by one."""
        slots = []
        for row in rows:
            slots.append(row.scratch.slot(row.scratch.grow(1)))
        numbers = []
        for place in range(self.size):
            n = min(place, len(rows) - 1)
            self._show(place, rows[n])
            numbers.append(_numbers(rows[n], slots[n]))
        pinned = self._numbers.device.type == "cuda"
        host = torch.tensor(numbers, dtype=torch.int64).T.contiguous()
        self._numbers.copy_(host.pin_memory() if pinned else host, non_blocking=True)
        embeds = torch.cat([row.chunk.embeds for row in rows])
        self._embeds[: len(rows)] = embeds
        self._embeds[len(rows) :] = embeds[-1]

    def work(self) -> Tensor:
        """The forward over whatever the buffers hold, [size, vocab]."""
        self._tables.load(self._numbers[4], self._numbers[5])
        return self._model.decode(self._embeds, self._numbers[:3], self._plan)

    def _show(self, place: int, row: Row) -> None:
        """Copy the pages of a row that were not in its place before."""
        if row.memory is not self._memories[place]:
            self._tables.set_memory(place, row.memory)
            self._memories[place] = row.memory
        pages = row.scratch.pages
        before = self._scratches[place]
        if before is None or before[0] is not row.scratch or before[1] != len(pages):
            self._tables.set_scratch(place, torch.tensor(pages, dtype=torch.int32))
            self._scratches[place] = (row.scratch, len(pages))


def _numbers(row: Row, slot: int) -> list[int]:
    held = 0 if row.memory is None else row.memory.length
    positions: list[int] = row.chunk.positions[:, 0].tolist()
    return [*positions, slot, held, row.scratch.held]
