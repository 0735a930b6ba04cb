"""What `lookout eval NAME` can measure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from core.catalog import Job
from evaluation.paired import command as paired


def _clips(argv: Sequence[str]) -> int:
    from evaluation.clips.command import main

    return main(argv)


def _embedded(argv: Sequence[str]) -> int:
    from evaluation.embedded import main  # torch only when something is measured

    return main(argv)


def _memory(argv: Sequence[str]) -> int:
    from evaluation.memory.command import main

    return main(argv)


def _pruning(argv: Sequence[str]) -> int:
    from evaluation.pruning.command import main

    return main(argv)


def _twins(argv: Sequence[str]) -> int:
    from evaluation.twins.command import main

    return main(argv)


EVALUATIONS: Final[dict[str, Job]] = {
    "clips": Job("primitive questions about real clips", _clips),
    "embedded": Job("answers of the embedded model about unseen demo scenes", _embedded),
    "memory": Job("right answers about now, the past and hours ago, for every preset", _memory),
    "paired": Job(paired.DESCRIPTION, paired.main),
    "pruning": Job("right answers against visual tokens, for every pruning method", _pruning),
    "twins": Job("counterfactual pairs of rendered videos, scored by pairs", _twins),
}
