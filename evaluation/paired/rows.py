"""Files of answers: JSON lines, or one JSON array, whose columns may have any names.

Every row remembers its place, so that whatever is wrong with it later can be said with file and
line.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.errors import ConfigError, DataError


@dataclass(frozen=True, slots=True)
class Row:
    """One object of a file, read under our names.

    Args:
        place: file and line, for messages.
        values: what the file holds, under the file's names.
        columns: the file's name of each of our fields; a field not in it has its own name.
    """

    place: str
    values: Mapping[str, Any]
    columns: Mapping[str, str]

    def text(self, field: str) -> str:
        """The field as text.

        Raises:
            DataError: it is absent, null, or neither text nor a number.
        """
        found = self.optional(field)
        if found is None:
            column = self.columns.get(field, field)
            raise DataError(
                f"{self.place}: no {column!r}; there are {', '.join(sorted(self.values))}; "
                f"--map {field}=COLUMN says which one holds it"
            )
        return found

    def optional(self, field: str) -> str | None:
        """The field as text, or None where it is absent or null.

        Raises:
            DataError: it is neither text nor a number.
        """
        value = self.raw(field)
        if value is None or isinstance(value, str):
            return value
        if isinstance(value, int) and not isinstance(value, bool):
            return str(value)
        raise self.wrong(field, "text or a whole number")

    def flag(self, field: str) -> bool | None:
        """The field as true or false, or None where it is absent or null.

        Raises:
            DataError: it is something else.
        """
        value = self.raw(field)
        if value is None or isinstance(value, bool):
            return value
        raise self.wrong(field, "true or false")

    def raw(self, field: str) -> Any:
        """The field as the file holds it, None where it does not."""
        return self.values.get(self.columns.get(field, field))

    def wrong(self, field: str, allowed: str) -> DataError:
        """The error that says what this field should be."""
        column = self.columns.get(field, field)
        return DataError(f"{self.place}: {column!r} is {self.raw(field)!r:.80}, not {allowed}")


def load(path: Path, columns: Mapping[str, str]) -> list[Row]:
    """The rows of a file.

    Args:
        path: JSON lines (empty lines are passed over), or a JSON array of objects.
        columns: the file's name of each of our fields.

    Raises:
        ConfigError: the file cannot be read.
        DataError: it holds no rows, or something that is not an object.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise ConfigError(f"{path}: cannot be read: {reason}") from error
    pieces = _array(path, text) if text.lstrip().startswith("[") else _lines(path, text)
    rows = [Row(place, values, columns) for place, values in pieces]
    if not rows:
        raise DataError(f"{path}: holds no rows")
    return rows


def _lines(path: Path, text: str) -> Iterator[tuple[str, dict[str, Any]]]:
    # Only "\n" ends a line: str.splitlines would also cut at U+2028, which JSON text may hold.
    for number, line in enumerate(text.split("\n"), start=1):
        if line.strip():
            place = f"{path}:{number}"
            yield place, _object(place, _decoded(place, line))


def _array(path: Path, text: str) -> Iterator[tuple[str, dict[str, Any]]]:
    items: Sequence[Any] = _decoded(str(path), text)
    for number, item in enumerate(items, start=1):
        place = f"{path}, row {number}"
        yield place, _object(place, item)


def _decoded(place: str, text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise DataError(f"{place}: not JSON: {error}") from error


def _object(place: str, value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise DataError(f"{place}: a JSON {type(value).__name__}, not an object")
    return value
