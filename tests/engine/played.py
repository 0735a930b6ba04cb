"""An engine whose model, pool and memories lie on a card that is played (`tests.card`)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import deepcopy
from typing import Any

from engine.engine import Engine
from engine.limits import Limits
from engine.scheduler import Scheduler
from memory.policies.sink_window import SinkWindow
from memory.readers.reader import Reader
from memory.readers.torch_reader import TorchReader
from models.pictures import DevicePictures
from models.qwen3_vl import Qwen3VL
from pruning.none import Dense
from tests.card import CARD, PlayedCard, put_on_card
from tests.engine.listeners import Result
from tests.tiny import CELL, ours, stock, tokenizer


def model_on_card(seed: int = 0) -> Qwen3VL:
    """As `tests.tiny.ours`, on the card; made within a `PlayedCard` of its own."""
    model = deepcopy(stock(seed))  # others compare with that one
    put_on_card([*model.parameters(), *model.buffers()])
    with PlayedCard():
        return Qwen3VL(
            model, tokenizer(), ours(seed).info, min_pixels=4 * CELL**2, max_pixels=64 * CELL**2,
            pictures=DevicePictures(CARD),
        )  # fmt: skip


@contextmanager
def on_the_card(
    model: Qwen3VL, limits: Limits, reader: Reader | None = None, **given: Any
) -> Iterator[tuple[Engine, PlayedCard]]:
    """A running engine and what its thread did on the card since.

    Args:
        model: on the card.
        limits: of the engine.
        reader: of its pages.
        given: further arguments of the engine.
    """
    card = PlayedCard()
    with PlayedCard():
        engine = Engine(model, limits, Scheduler(), reader or TorchReader(), **given)
    put_on_card([engine.pool.keys, engine.pool.values])
    with engine:
        _there(engine, card.__enter__)  # a mode belongs to a thread
        try:
            yield engine, card
        finally:  # a thread that ends within a mode may take the process with it
            _there(engine, lambda: card.__exit__(None, None, None))


def _there(engine: Engine, do: Callable[[], object]) -> None:
    """Do something on the engine's thread, where listeners are told."""
    done = Result()
    handle = engine.open_memory(Dense(), 8, SinkWindow(), lambda told: (do(), done(told)))
    done.wait()
    engine.close_memory(handle)
