"""Many figures of a few contenders: a table for each length, a line for each figure."""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.report import Row, markdown, stamp

_HEADS = ("minutes", "contender")


def turned(rows: Sequence[Row]) -> dict[float, list[Row]]:
    """By length one row for each figure, with a column for each contender."""
    tables: dict[float, list[Row]] = {}
    for minutes in dict.fromkeys(row["minutes"] for row in rows):
        here = [row for row in rows if row["minutes"] == minutes]
        figures = [key for key in here[0] if key not in _HEADS]
        tables[minutes] = [
            {"figure": key} | {row["contender"]: row[key] for row in here} for key in figures
        ]
    return tables


def page(rows: Sequence[Row]) -> str:
    """All tables as Markdown."""
    tables = [
        f"## {minutes:g} minutes of stream\n\n{markdown(table)}"
        for minutes, table in turned(rows).items()
    ]
    return "\n\n".join([stamp(), *tables])
