"""Rows about video: how many frames a second are decoded, and what that costs the host."""

from __future__ import annotations

import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import torch

from benchmarks.gpu.context import Context
from benchmarks.gpu.footage import FPS, Film, encoder, write
from benchmarks.report import Row
from stream.sources.av_reader import AvReader, Medium, Timeouts
from stream.sources.base import SourceStats
from stream.sources.hardware import Card, Hardware, Processor, refusal
from stream.sources.pace import Unpaced
from stream.sources.sampler import Sampler

_READY_S = 30.0


@dataclass(frozen=True, slots=True)
class _Way:
    """Where it is decoded, or why it cannot be."""

    name: str
    make: Callable[[], Hardware]
    refused: str | None = None


def decoding(context: Context) -> list[Row]:
    """Sources read as cameras are, at full speed, by the processor and by the card."""
    by = encoder()
    if by is None:
        return [{"skipped": "PyAV has no encoder to make a film with"}]
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as folder:
        for size in context.scale.pictures:
            film = write(Path(folder, f"{size[1]}.mp4"), size, context.scale.clip_s, by)
            for way in _ways(context.device):
                made: Row = {"picture": f"{size[0]}x{size[1]}", "decoder": way.name}
                rows += [made | row for row in _tried(context, film, way)]
    return rows


def _ways(device: torch.device) -> Iterator[_Way]:
    yield _Way("cpu", Processor)
    if device.type != "cuda":
        yield _Way("cuda", Processor, "there is no CUDA device")
        return
    card = torch.device("cuda", device.index or 0)
    yield _Way("cuda", lambda: Card(card), refusal(Card(card)))


def _tried(context: Context, film: Film, way: _Way) -> list[Row]:
    if way.refused is not None:
        return [{"skipped": way.refused}]
    made: Row = {"encoder": film.encoder, "megabits_per_s": film.megabits_per_s}
    return [
        made | {"threads": threads} | _measured(context, film, way, threads)
        for threads in context.scale.threads
    ]


def _measured(context: Context, film: Film, way: _Way, threads: int) -> Row:
    """So many sources at once, each on a thread of its own.

    Raises:
        SourceUnavailable: if the film cannot be read.
    """
    stop = threading.Event()
    sources = [_Source(film, way.make(), context.scale.camera_fps) for _ in range(threads)]
    with ThreadPoolExecutor(threads, "decoder") as pool:
        reading = [pool.submit(source.read, stop) for source in sources]
        try:
            for source in sources:
                source.wait()
            before, cpu, began = _decoded(sources), time.process_time(), time.monotonic()
            stop.wait(context.scale.window_s)
            frames, cpu = _decoded(sources) - before, time.process_time() - cpu
            seconds = time.monotonic() - began
        finally:
            stop.set()
        for one in reading:
            one.result()
    return {
        "decoded_by": ", ".join(sorted({source.decoder for source in sources})),
        "frames_per_s": frames / seconds,
        f"cameras_of_{FPS}_fps": frames / seconds / FPS,
        "cpu_s_per_stream_s": cpu / (frames / FPS) if frames else None,
    }


class _Source:
    """A film that is read again and again; of every frame that is sampled the pixels are taken."""

    def __init__(self, film: Film, hardware: Hardware, fps: float) -> None:
        medium = Medium(str(film.path), "the film", live=False, loop=True)
        self._reader = AvReader(medium, Timeouts(), Unpaced, hardware)
        self._sampler = Sampler(fps)
        self._begun = threading.Event()
        self.stats = SourceStats()
        self.decoder = ""

    def read(self, stop: threading.Event) -> None:
        """Until it is stopped."""
        try:
            self.decoder = self._reader.open().decoder
            for _ in self._reader.frames(self._sampler, self.stats, stop):
                self._begun.set()
        finally:
            self._begun.set()  # or never will be
            self._reader.close()

    def wait(self) -> None:
        """Until the first frame is there, or it has failed, which whoever reads is told."""
        if not self._begun.wait(_READY_S):
            raise TimeoutError(f"no frame was decoded within {_READY_S:g} s")


def _decoded(sources: list[_Source]) -> int:
    return sum(source.stats.decoded for source in sources)
