"""The composition root: settings become a model, an engine and cameras; nobody else reads them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path

from core.errors import ConfigError
from engine.engine import Engine
from engine.limits import Limits
from engine.pace import StepPace
from engine.recalling import Drawer, Recalling
from engine.scheduler import Scheduler
from engine.selecting import Selecting
from engine.speaking import Speaking
from memory.pool import KVShape
from memory.readers.choice import choose
from memory.readers.reader import Demand, Reader
from memory.saving.fit import Fit
from models.identity import fingerprint
from models.loading import load_model
from models.vlm import VideoLanguageModel
from stream.cameras.drawers import held
from stream.cameras.keeping import Keeping
from stream.cameras.ladder import Overload
from stream.cameras.registry import Cameras
from stream.cameras.watching import Watching
from stream.selectors import Trained
from stream.settings import MemorySettings, OverloadSettings, Settings
from stream.sources import Sources
from stream.sources.hardware import choose as choose_hardware
from stream.sources.pace import Pace, RealtimePace

log = logging.getLogger("lookout.house")


@dataclass(frozen=True, slots=True)
class House:
    """What a server or a replay is made of."""

    model: VideoLanguageModel
    engine: Engine
    cameras: Cameras
    sources: Sources


@asynccontextmanager
async def open_house(settings: Settings, *, pace: Pace | None = None) -> AsyncIterator[House]:
    """Load the model, start the engine, attach the configured cameras; undo it all on leaving.

    Args:
        settings: validated.
        pace: how files and rendered scenes are played; real time unless said otherwise.

    Raises:
        ModelLoadFailed: if the model cannot be loaded.
        ConfigError: if a camera's address cannot be understood, or the model's device is to decode
            video and cannot, or a selector's weights are for
            another model, or memories or archives cannot lie where they are to, or those of another
            Lookout do.
        CapacityExceeded: if there are more cameras than places.
    """
    model = await asyncio.to_thread(
        load_model,
        settings.model.name,
        device=settings.model.device,
        dtype=settings.model.dtype,
        max_pixels=settings.image.max_pixels,
        quantize=settings.model.quantize,
        compiled=settings.model.compiled,
    )
    decoder = await asyncio.to_thread(choose_hardware, settings.image.decoder, model.device)
    sources = Sources(pace or RealtimePace(), hardware=decoder)
    kept = keeping(model, settings)
    own = nullcontext() if kept is None else kept.alone()
    with own, held(drawer(settings)), engine_for(model, settings) as engine:
        watched = watching(settings, selecting(model, settings))
        async with Cameras(engine, watched, kept) as cameras:
            for name, camera in settings.cameras.items():
                url = camera.url.get_secret_value()
                source = sources.of(url)
                await cameras.attach(name, source, url=url, fps=camera.fps, kept=True, anyway=True)
            yield House(model, engine, cameras, sources)


def engine_for(model: VideoLanguageModel, settings: Settings) -> Engine:
    """The engine that the settings describe; not yet running.

    Raises:
        ConfigError: if the reader that is asked for cannot be used.
    """
    chooses = settings.answer.selector is not None
    tokens = capacity(model.shape, settings.memory)
    noting, note_tokens = settings.memory.notes.room(tokens, model)
    limits = Limits(
        cameras=settings.engine.max_cameras,
        answers=settings.engine.max_answers,
        waiting=settings.engine.max_waiting,
        capacity=tokens,
        noting=noting,
        note_tokens=note_tokens,
        prompt_tokens=settings.engine.prompt_tokens,
        answer_tokens=settings.answer.max_tokens,
        segment_steps=settings.segment.max_steps,
        page_size=settings.memory.page_size,
        selector_budget=settings.answer.selector_budget if chooses else 0,
        bank_steps=settings.answer.bank_steps if chooses else 0,
        recall_budget=settings.memory.archive.budget if settings.memory.archive.max_bytes else 0,
        load=settings.engine.max_load,
        lag_s=settings.overload.target_lag_s,
    )
    scheduler = Scheduler(
        prefill_tokens=settings.engine.prefill_tokens,
        encode_tokens=settings.engine.encode_tokens,
        pace=StepPace(settings.engine.step_ms),
    )
    speaking = Speaking(settings.answer.visibility, settings.answer.positions)
    return Engine(
        model,
        limits,
        scheduler,
        reader_for(model, settings),
        speaking,
        noting=settings.memory.notes.noting(),
        graphs=settings.engine.graphs,
    )


def reader_for(model: VideoLanguageModel, settings: Settings) -> Reader:
    """What computes attention, as configured or as it works here.

    Raises:
        ConfigError: if the one that is asked for cannot be used.
    """
    per_head = watching(settings).eviction.per_head
    demand = Demand(model.device, model.shape, settings.memory.page_size, per_head)
    choice = choose(settings.engine.reader, demand)
    log.info("attention is computed by %s", choice.name)
    return choice.reader()


def capacity(shape: KVShape, memory: MemorySettings) -> int:
    """Tokens of a camera's memory: as configured, or as many whole pages as its bytes allow.

    Raises:
        ConfigError: if not even one page fits.
    """
    if memory.max_bytes is None:
        return memory.capacity
    page = memory.page_size * shape.bytes_per_token
    pages = memory.max_bytes // page
    if pages < 1:
        raise ConfigError(
            f"memory.max_bytes: {memory.max_bytes} bytes hold no page of {page} bytes; raise it or "
            "lower memory.page_size"
        )
    return min(memory.capacity, pages * memory.page_size)


def selecting(model: VideoLanguageModel, settings: Settings) -> Selecting | None:
    """How the settings want answers to choose what they read; None: they read the memory.

    Raises:
        ModelLoadFailed: if a selector's weights cannot be loaded.
        ConfigError: if they are for another model.
    """
    answer = settings.answer
    if answer.selector is None:
        return None
    selector = answer.selector
    if isinstance(selector, Trained):
        selector = selector.load(model.prefix().embeds.shape[1], model.device)
    return Selecting(selector, answer.selector_budget, answer.bank_steps)


def recalling(settings: Settings) -> Recalling | None:
    """How the settings want what memory gives up to be kept; None: it is lost."""
    archive = settings.memory.archive
    if not archive.max_bytes:
        return None
    return Recalling(
        archive.codec,
        archive.gate,
        archive.max_bytes,
        archive.budget,
        archive.host_bytes,
        drawer(settings),
    )


def drawer(settings: Settings) -> Drawer | None:
    """Where the settings want archives to lie on disk; None: nowhere."""
    archive = settings.memory.archive
    if not archive.max_bytes or not archive.disk_bytes or archive.folder is None:
        return None
    folder = Path(archive.folder).expanduser() / "archives"
    return Drawer(folder, archive.disk_bytes, lasting=settings.memory.save.folder is not None)


def keeping(model: VideoLanguageModel, settings: Settings) -> Keeping | None:
    """Where the settings want memories to be saved; None: nowhere.

    Args:
        model: not running yet.
        settings: validated.

    Raises:
        ConfigError: if the folder cannot be had.
    """
    memory, recalls = settings.memory, recalling(settings)
    if memory.save.folder is None:
        return None
    fit = Fit(
        model=model.info.name,
        fingerprint=fingerprint(model),
        shape=model.shape,
        sink=len(model.prefix()),
        capacity=capacity(model.shape, memory),
        policy=memory.policy,
        codec=None if recalls is None else recalls.codec,
    )
    found = Keeping(Path(memory.save.folder).expanduser(), memory.save.every_s, fit)
    found.prepare()
    return found


def watching(settings: Settings, selecting: Selecting | None = None) -> Watching:
    """How the settings want cameras to be watched, and answers to choose."""
    return Watching(
        fps=settings.sampling.fps,
        buffer_frames=settings.sampling.buffer_frames,
        max_steps=settings.segment.max_steps,
        cut_threshold=settings.segment.cut_threshold,
        policy=settings.pruning.policy,
        budget=settings.pruning.budget,
        eviction=settings.memory.policy,
        max_question_chars=settings.answer.max_question_chars,
        stale_after_s=settings.answer.stale_after_s,
        selecting=selecting,
        recalling=recalling(settings),
        overload=_overload(settings.overload),
    )


def _overload(settings: OverloadSettings) -> Overload | None:
    if not settings.enabled:
        return None
    return Overload(settings.target_lag_s, settings.patience_s)
