"""What the commands `lookout train`, `eval` and `bench` can run, by name."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Job:
    """One thing that can be run.

    Args:
        description: one line for `--list`.
        main: takes the arguments after the name, returns the exit status.
    """

    description: str
    main: Callable[[Sequence[str]], int]
