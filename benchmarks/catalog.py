"""What `lookout bench NAME` can measure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from core.catalog import Job


def _codecs(argv: Sequence[str]) -> int:
    from benchmarks.codecs import main  # torch only when something is measured

    return main(argv)


def _live(argv: Sequence[str]) -> int:
    from benchmarks.live import main

    return main(argv)


def _memory(argv: Sequence[str]) -> int:
    from benchmarks.memory import main

    return main(argv)


def _pruning(argv: Sequence[str]) -> int:
    from benchmarks.pruning import main

    return main(argv)


def _real_input(argv: Sequence[str]) -> int:
    from benchmarks.real_input import main

    return main(argv)


BENCHMARKS: Final[dict[str, Job]] = {
    "codecs": Job("the cost and loss of every codec of the archive, beside that of block", _codecs),
    "live": Job("watching while answering, alone or beside other ways to drive the model", _live),
    "memory": Job("the cost of every memory preset as a stream grows to hours", _memory),
    "pruning": Job("the cost of every pruning method, beside that of uniform", _pruning),
    "real-input": Job(
        "the same through RTSP servers, files and a browser (a checkout is needed)", _real_input
    ),
}
