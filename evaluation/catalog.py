"""What `lookout eval NAME` can measure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Evaluation:
    """One quality that can be measured.

    Args:
        description: one line for `lookout eval --list`.
        main: takes the arguments after the name, returns the exit status.
    """

    description: str
    main: Callable[[Sequence[str]], int]


def _embedded(argv: Sequence[str]) -> int:
    from evaluation.embedded import main  # torch only when something is measured

    return main(argv)


EVALUATIONS: Final[dict[str, Evaluation]] = {
    "embedded": Evaluation("answers of the embedded model about unseen demo scenes", _embedded),
}
