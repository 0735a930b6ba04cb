"""What `lookout train NAME` can train."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from core.catalog import Job


def _embedded(argv: Sequence[str]) -> int:
    from training.embedded import main  # torch only when something is trained

    return main(argv)


TRAININGS: Final[dict[str, Job]] = {
    "embedded": Job("the embedded default model, on rendered scenes", _embedded),
}
