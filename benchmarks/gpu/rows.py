"""All rows of a session, in the order in which they are worth having."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from benchmarks.gpu.breakdown import breakdown
from benchmarks.gpu.checks import TESTS, doctor, tests
from benchmarks.gpu.context import Context
from benchmarks.gpu.kernels import packed, readers
from benchmarks.gpu.machine import machine
from benchmarks.gpu.methods import memories, pruning
from benchmarks.gpu.scale import Scale
from benchmarks.gpu.speaking import decode, first_token
from benchmarks.gpu.watching import bytes_of_cameras, cameras, ingest
from benchmarks.report import Row

Measure = Callable[[Context], list[Row]]


def rows(scale: Scale) -> dict[str, Measure]:
    """By name, the most important first; those of a shape are named `SHAPE.what`."""
    first, *others = scale.shapes
    found: dict[str, Measure] = {"machine": machine, "readers": readers}
    for what, measure in (
        ("ingest", ingest),
        ("first_token", first_token),
        ("decode", decode),
        ("cameras", cameras),
        ("bytes", bytes_of_cameras),
        ("breakdown", breakdown),
    ):
        found[f"{first}.{what}"] = partial(_of_shape, measure, first)
    found |= {"packed": packed, "memories": memories, "pruning": pruning}
    for name in tuple(TESTS)[: scale.test_rows]:
        found[f"tests.{name}"] = partial(tests, name)
    for shape in others:
        for what, measure in (("ingest", ingest), ("first_token", first_token), ("decode", decode)):
            found[f"{shape}.{what}"] = partial(_of_shape, measure, shape)
    return found | {"doctor": doctor}


def _of_shape(
    measure: Callable[[Context, str], list[Row]], shape: str, context: Context
) -> list[Row]:
    return measure(context, shape)
