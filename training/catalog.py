"""What `lookout train NAME` can train."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Training:
    """One thing that can be trained.

    Args:
        description: one line for `lookout train --list`.
        main: takes the arguments after the name, returns the exit status.
    """

    description: str
    main: Callable[[Sequence[str]], int]


def _embedded(argv: Sequence[str]) -> int:
    from training.embedded import main  # torch only when something is trained

    return main(argv)


TRAININGS: Final[dict[str, Training]] = {
    "embedded": Training("the embedded default model, on rendered scenes", _embedded),
}
