"""Many figures of a few contenders: a table for each length, a line for each figure."""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.report import Row, markdown, stamp

_HEADS = ("minutes", "contender")
_LEGEND = """\
One model, driven in several ways, each behind the same bounded buffer and the same segments, with
pictures that were drawn before. At each length all stand at the same frame of the stream, then they
take turns, and each round begins with another one.

- `lookout`: the engine of the server with its settings; memory bounded, tokens pruned.
- `last_4`, `last_32`: transformers' `generate` reads the last 4 or 32 frames at each question.
- `everything`: `generate` reads all frames so far; gives up where a first token takes too long.
- `serial`: sink and 16 s of keys and values in a cache, no pruning; does not watch while it speaks.

A turn is: some seconds of real time unasked (`idle`); a long answer with the stream paused
(`paused`); real time again, with the same long answer at once and then short ones and long ones
without a break (`speaking`, `watching`). Nothing ends a long answer early. A frame is late if it
is not in memory (of those that reread: in their buffer, unseen) a sampling interval and the slack
after its temporal step was whole. `ttft` is from question to first token while frames come.
`missed_minutes` were not watched on the way to that length: who rereads or is serial stands where
it would stand anyway, and Lookout's positions go on as if it had watched. `held_bytes` are
reserved memory, cache, or pixels as small as the model sees them; `answer_bytes` keys and values
of one answer alone. `same_as_paused` counts the turns in which the long answer was token for
token that of the paused stream."""


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
    """A Markdown table for each length."""
    return "\n\n".join(
        f"## {minutes:g} minutes of stream\n\n{markdown(table)}"
        for minutes, table in turned(rows).items()
    )


def explained(rows: Sequence[Row], how: str) -> str:
    """All tables as a Markdown page that says what they show, and how it was measured."""
    return f"{stamp()} | {how}\n\n{_LEGEND}\n\n{page(rows)}\n"
