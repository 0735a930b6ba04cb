"""Who takes part, and what each is made of."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Final, cast

from benchmarks.live.contender import Contender
from benchmarks.live.endless import Endless
from benchmarks.live.film import Film
from benchmarks.live.lookout import Lookout
from benchmarks.live.rereading import Rereading
from benchmarks.live.serial import Serial
from benchmarks.live.stock import Stock
from core.errors import ConfigError
from models.vlm import VideoLanguageModel
from stream.compose import engine_for, watching
from stream.settings import Settings

LOOKOUT: Final = Lookout.name
ALL: Final = "all"


@dataclass(frozen=True, slots=True, eq=False)
class Parts:
    """What contenders are made of; the same for all.

    Args:
        settings: of the server.
        model: as Lookout runs it.
        stock: the same weights as transformers runs them.
        film: what they see.
    """

    settings: Settings
    model: VideoLanguageModel
    stock: Stock
    film: Film


Make = Callable[[Parts], AbstractAsyncContextManager[Contender]]


@asynccontextmanager
async def _lookout(parts: Parts) -> AsyncIterator[Contender]:
    model = cast(VideoLanguageModel, Endless(parts.model))
    with engine_for(model, parts.settings) as engine:
        contender = Lookout(engine, watching(parts.settings))
        await contender.open()
        try:
            yield contender
        finally:
            contender.close()


def _rereading(name: str, last: int | None) -> Make:
    @asynccontextmanager
    async def make(parts: Parts) -> AsyncIterator[Contender]:
        size = parts.stock.size(parts.film.pictures[0], parts.model)
        yield Rereading(name, parts.stock, size, last, parts.model.shape.bytes_per_token)

    return make


@asynccontextmanager
async def _serial(parts: Parts) -> AsyncIterator[Contender]:
    yield Serial(parts.stock, parts.model)


CONTENDERS: Final[dict[str, Make]] = {
    LOOKOUT: _lookout,
    "last_4": _rereading("last_4", 4),
    "last_32": _rereading("last_32", 32),
    "everything": _rereading("everything", None),
    Serial.name: _serial,
}


def chosen(names: Sequence[str]) -> list[str]:
    """Those named, in the order of the catalogue; Lookout, whom all are compared with, always.

    Raises:
        ConfigError: naming what there is.
    """
    if unknown := set(names) - {ALL, *CONTENDERS}:
        listed = ", ".join([ALL, *CONTENDERS])
        raise ConfigError(f"--contenders {', '.join(sorted(unknown))}: there are: {listed}")
    return [name for name in CONTENDERS if ALL in names or name in names or name == LOOKOUT]


@asynccontextmanager
async def opened(names: Sequence[str], parts: Parts) -> AsyncIterator[list[Contender]]:
    """Those contenders, all at once; closed on leaving."""
    async with AsyncExitStack() as stack:
        yield [await stack.enter_async_context(CONTENDERS[name](parts)) for name in names]
