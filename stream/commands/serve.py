"""`lookout serve`: settings, a house, a server, and a clean end on Ctrl-C or SIGTERM."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import os
import re
import signal
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from transformers.utils import logging as transformers_logging

from core.errors import ConfigError, EngineDead, LookoutError
from core.events import CAMERA_NAME, ModelInfo
from stream.access.auth import Doorman
from stream.compose import House, open_house
from stream.configuration import load_settings
from stream.conversations.rules import Rules
from stream.server.server import Server, bind, doorman_of
from stream.settings import Settings
from stream.sources import redact

log = logging.getLogger("lookout")

LOOK_EVERY_S = 0.5
STUCK_S = 60.0  # far more than any step takes, compiling included


@dataclass(frozen=True, slots=True)
class ServeOptions:
    """What the command line said; None and empty: nothing."""

    config: Sequence[str]
    host: str | None
    port: int | None
    model: str | None
    sources: Sequence[str]
    allow_anyone: bool

    def settings(self) -> Settings:
        """The settings that this makes.

        Raises:
            ConfigError: if something is not understood.
        """
        server = {"host": self.host, "port": self.port, "allow_anyone": self.allow_anyone or None}
        overrides: dict[str, Any] = {
            "server": {key: value for key, value in server.items() if value is not None},
            "cameras": dict(map(_camera, self.sources)),
        }
        if self.model is not None:
            overrides["model"] = {"name": self.model}
        return load_settings(self.config, overrides)


async def serve(options: ServeOptions) -> None:
    """Serve until told to stop.

    Raises:
        ConfigError: if the settings are wrong or the port is taken.
        ModelLoadFailed: if the model cannot be loaded.
        EngineDead: if the engine ended by itself.
    """
    settings = options.settings()
    doorman = doorman_of(settings.server, os.environ)
    log_to_stderr(settings.log.level)
    stop = _on_signals()
    with bind(settings.server.host, settings.server.port) as sock:  # first: loading takes long
        print(f"Loading the model {settings.model.name} ...", file=sys.stderr)
        try:
            async with (
                open_house(settings) as house,
                _server(house, settings, doorman).listening(sock) as address,
            ):
                with set_aside():
                    _welcome(address, house)
                    await _until(stop, house)
                print("Stopping ...", file=sys.stderr)
        except ExceptionGroup as group:
            raise only_error(group) from None


def _server(house: House, settings: Settings, doorman: Doorman) -> Server:
    info = house.model.info
    model = ModelInfo(name=info.name, embedded=bool(info.note), note=info.note)
    answer, server = settings.answer, settings.server
    rules = Rules(
        instructions=answer.instructions,
        max_tokens=answer.max_tokens,
        max_question_chars=answer.max_question_chars,
        max_images=answer.max_images,
        max_message_bytes=server.max_message_bytes,
        on_new_input=answer.on_new_input,
        slow_client_s=server.slow_client_s,
    )

    def ready() -> str | None:
        if not house.engine.alive:
            return "the engine has ended; restart the server"
        stuck = house.engine.turn_s
        return None if stuck < STUCK_S else f"the engine has been in one step for {stuck:.0f} s"

    return Server(
        house.cameras,
        model,
        server,
        rules,
        doorman,
        ready=ready,
        engine=lambda: house.engine.counters,
        sources=house.sources,
    )


def _welcome(address: str, house: House) -> None:
    names = house.cameras.names()
    print(f"Lookout is at {address}")
    if names:
        rendered = house.cameras.get(names[0]).url.startswith("demo:")
        question = "How many objects are there?" if rendered else "What do you see?"
        print(f'Try: lookout ask {names[0]} "{question}" --server {address}')
    else:
        print("No camera yet: open the page and start the webcam, or use --source NAME=URL")
    if house.model.info.note:
        print(house.model.info.note)
    sys.stdout.flush()


def _on_signals() -> asyncio.Event:
    """Set by the first Ctrl-C or SIGTERM; the second one does not wait."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()

    def first() -> None:
        stop.set()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, first)
    return stop


async def _until(stop: asyncio.Event, house: House) -> None:
    """Wait for the signal, or fail when the engine does."""
    while not stop.is_set():
        if not house.engine.alive:
            raise EngineDead("the engine has ended; the log says why")
        try:
            async with asyncio.timeout(LOOK_EVERY_S):
                await stop.wait()
        except TimeoutError:
            continue


def _camera(text: str) -> tuple[str, dict[str, str]]:
    name, equals, url = text.partition("=")
    shown = redact(name)  # who forgets NAME= gives an address, and it may hold a password
    if not equals or not url or not re.fullmatch(CAMERA_NAME, name):
        raise ConfigError(f"--source {shown}: say NAME=URL, for example porch=rtsp://host/stream")
    return name, {"url": url}


@contextlib.contextmanager
def set_aside() -> Iterator[None]:
    """Let the collector of garbage pass over what is there already: modules, weights, classes.

    Python stops for it, and to look through all of that takes a third of a second: every few hours
    somebody would wait so long for a token.
    """
    gc.collect()
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()  # at the end all of it goes


def log_to_stderr(level: str) -> None:
    """Plain lines with time and level; bars of progress only where somebody looks at them."""
    if not sys.stderr.isatty():
        transformers_logging.disable_progress_bar()
    logging.basicConfig(
        level=logging.WARNING, format="%(asctime)s %(levelname)-7s %(name)s: %(message)s"
    )
    logging.getLogger("lookout").setLevel(level.upper())
    logging.getLogger("huggingface_hub").propagate = False  # it prints by itself


def only_error(group: ExceptionGroup) -> Exception:
    """The first error of ours in a group of errors; the group itself without one."""
    known, _ = group.split(LookoutError)
    error: Exception = known or group
    while isinstance(error, ExceptionGroup) and error is not group:
        error = error.exceptions[0]
    return error
