"""What `lookout bench NAME` can measure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Benchmark:
    """One thing that can be measured.

    Args:
        description: one line for `lookout bench --list`.
        main: takes the arguments after the name, returns the exit status.
    """

    description: str
    main: Callable[[Sequence[str]], int]


def _live(argv: Sequence[str]) -> int:
    from benchmarks.live import main  # torch only when something is measured

    return main(argv)


def _real_input(argv: Sequence[str]) -> int:
    from benchmarks.real_input import main

    return main(argv)


BENCHMARKS: Final[dict[str, Benchmark]] = {
    "live": Benchmark("watching while idle and while answering, on a demo camera or a URL", _live),
    "real-input": Benchmark(
        "the same through RTSP servers, files and a browser (a checkout is needed)", _real_input
    ),
}
