"""How the rows of a benchmark belong together, and what is measured on them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from evaluation.paired import instances, pairs
from evaluation.paired.groups import Group
from evaluation.paired.judging import Judged
from evaluation.paired.reading import Reader, strict, timeblind_official
from evaluation.paired.rows import Row
from evaluation.paired.shares import Share


@dataclass(frozen=True)
class Layout:
    """One benchmark's way to pair.

    Args:
        fields: names that rows are read under.
        columns: the benchmark's own names, where they differ.
        groups: rows to groups.
        measures: judged groups to shares by name, in the order to show; the headline is that of
            whole groups.
        readers: by name, how replies may be read; the first is the default.
    """

    fields: Sequence[str]
    columns: Mapping[str, str]
    groups: Callable[[Sequence[Row]], list[Group]]
    measures: Callable[[Sequence[Judged]], dict[str, Share]]
    readers: Mapping[str, Reader] = field(default_factory=lambda: {"strict": strict})


LAYOUTS: Final[Mapping[str, Layout]] = {
    "dybench": Layout(pairs.FIELDS, pairs.COLUMNS, pairs.groups, pairs.measures),
    "timeblind": Layout(
        instances.FIELDS,
        instances.COLUMNS,
        instances.groups,
        instances.measures,
        {"strict": strict, "official": timeblind_official},
    ),
}
