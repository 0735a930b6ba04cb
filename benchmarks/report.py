"""Rows of a benchmark as a table for people and a JSON file for programs."""

from __future__ import annotations

import json
import os
import platform
import subprocess
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

Row = dict[str, Any]


def publish(rows: Sequence[Row], json_file: Path | None) -> None:
    """Print the rows; also write them to a file, as a list."""
    columns = list(dict.fromkeys(key for row in rows for key in row))
    table = Table(*columns, title=stamp())
    for row in rows:
        table.add_row(*(_cell(row.get(column)) for column in columns))
    Console(width=200).print(table)
    if json_file is not None:
        json_file.write_text(json.dumps(list(rows), indent=1) + "\n")


def markdown(rows: Sequence[Row]) -> str:
    """The rows as a Markdown table."""
    columns = list(dict.fromkeys(key for row in rows for key in row))
    lines = [columns, ["---"] * len(columns)]
    lines += [[_cell(row.get(column)) for column in columns] for row in rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def stamp() -> str:
    """Date, commit and machine: what a result is worth nothing without."""
    done = subprocess.run(
        ["git", "describe", "--always", "--dirty"], capture_output=True, text=True, check=False
    )
    commit = done.stdout.strip() or "no checkout"
    return f"{datetime.now(UTC):%Y-%m-%d} | {commit} | {platform.machine()}, {_cores()} cores"


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _cell(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.3g}" if abs(value) < 100 else f"{value:.0f}"
    return "" if value is None else str(value)
