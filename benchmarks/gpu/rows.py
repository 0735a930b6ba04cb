"""All rows of a session, in the order in which they are worth having."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Final

from benchmarks.gpu.breakdown import breakdown
from benchmarks.gpu.checks import TESTS, doctor, tests
from benchmarks.gpu.context import Context
from benchmarks.gpu.kernels import packed, readers
from benchmarks.gpu.machine import machine
from benchmarks.gpu.methods import memories, pruning
from benchmarks.gpu.scale import Scale
from benchmarks.gpu.speaking import decode, first_token
from benchmarks.gpu.variants import VARIANTS, variant
from benchmarks.gpu.watching import bytes_of_cameras, cameras, ingest
from benchmarks.report import Row

Measure = Callable[[Context], list[Row]]
_OfShape = Callable[[Context, str], list[Row]]

START_S: Final = 20.0  # of a process: torch and CUDA
_PATIENCE: Final = 3.0  # times what is expected
_LONGEST_S: Final = 180.0


@dataclass(frozen=True, slots=True)
class Planned:
    """A row to be measured.

    Args:
        measure: does it.
        seconds: that it is expected to take on an H200 with 16 cores.
    """

    measure: Measure
    seconds: float

    @property
    def limit_s(self) -> float:
        """Seconds after which it hangs, the start of a process included."""
        return min(_LONGEST_S, START_S + _PATIENCE * self.seconds)


def rows(scale: Scale) -> dict[str, Planned]:
    """By name, the most important first; those of a shape are named `SHAPE.what`.

    A session of nine minutes on an H200 is expected to come to the end of `essential`; what follows
    is measured where it goes faster, or when it is asked for.
    """
    return essential(scale) | further(scale)


def essential(scale: Scale) -> dict[str, Planned]:
    """What a session must not end without."""
    first, *others = scale.shapes
    found = {"machine": Planned(machine, 10), "readers": Planned(readers, 35)}
    measures: tuple[tuple[str, _OfShape, float], ...] = (
        ("ingest", ingest, 50),
        ("first_token", first_token, 20),
        ("decode", decode, 40),
        ("cameras", cameras, 45),
        ("bytes", bytes_of_cameras, 20),
        ("breakdown", breakdown, 35),
    )
    for what, measure, seconds in measures:
        found[f"{first}.{what}"] = Planned(partial(_of_shape, measure, first), seconds)
    for name, seconds in (("plain", 15), ("compiled", 55), ("int8", 25), ("fp8", 25)):
        found[f"{first}.variants.{name}"] = _variant(first, name, seconds)
    found["video"] = Planned(_video, 25)
    found |= _tests(scale, 0, 2)
    for shape in others:
        for what, measure, seconds in (
            ("ingest", ingest, 12.0), ("first_token", first_token, 6.0), ("decode", decode, 12.0),
        ):  # fmt: skip
            found[f"{shape}.{what}"] = Planned(partial(_briefly, measure, shape), seconds)
    return found


def further(scale: Scale) -> dict[str, Planned]:
    """What is measured if there is time left."""
    first = scale.shapes[0]
    found = {"memories": Planned(memories, 20), "pruning": Planned(pruning, 20)}
    found |= {"packed": Planned(packed, 15)} | _tests(scale, 2, None)
    for name in tuple(VARIANTS)[4:]:
        found[f"{first}.variants.{name}"] = _variant(first, name, 60)
    return found | {"doctor": Planned(doctor, 15)}


def _variant(shape: str, name: str, seconds: float) -> Planned:
    return Planned(partial(_of_shape, partial(variant, name), shape), seconds)


def _tests(scale: Scale, begin: int, end: int | None) -> dict[str, Planned]:
    """The groups of tests that are run at this scale, of these."""
    names = tuple(TESTS)[: scale.test_rows][begin:end]
    return {f"tests.{name}": Planned(partial(tests, name), 20) for name in names}


def _of_shape(measure: _OfShape, shape: str, context: Context) -> list[Row]:
    return measure(context, shape)


def _briefly(measure: _OfShape, shape: str, context: Context) -> list[Row]:
    return measure(context.brief(), shape)


def _video(context: Context) -> list[Row]:
    """Needs PyAV, which no other row does."""
    try:
        from benchmarks.gpu.video import decoding
    except ImportError as error:
        return [{"skipped": str(error)}]
    return decoding(context)
