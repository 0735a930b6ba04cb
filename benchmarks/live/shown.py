"""Many figures of a few contenders: a table for each length, a line for each figure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

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

A turn is: some seconds of real time unasked (`idle`, 20 at most); a long answer with the stream
paused; real time again, with the same long answer at once and then short ones and long ones without
a break (`speaking`; after some dozens of short ones only long ones). Nothing ends a long answer
early. `ttft` is from question to first token while frames come, of all answers.

A pair is one long answer in real time between the same answer before and after, both with the
stream paused; the moment of a temporal step at which it begins is drawn. `decode_slower_percent` is
the median over pairs of how many fewer tokens per second are said than in the mean of the two
paused ones, with the 95% bootstrap interval of the median. `serial` does not watch while it speaks:
what it shows is noise. Pairs are not taken of who rereads everything.

A frame is late if it is not in memory (of those that reread: in their buffer, unseen) a sampling
interval and the slack after its temporal step was whole. Long frames are those due while a long
answer was being spoken, in turns and pairs, with Wilson's 95% interval. That takes each frame as if
it were late by itself; but a stall makes several late, so the true interval is wider.
`same_as_paused` counts the long answers, of turns and pairs, that were token for token that of the
paused stream.

`missed_minutes` were not watched on the way to that length: who rereads or is serial stands where
it would stand anyway, and Lookout's positions go on as if it had watched. `held_bytes` are
reserved memory, cache, or pixels as small as the model sees them; `answer_bytes` keys and values
of one answer alone."""

_GOAL_LATE: Final = 0.5  # percent of due frames
_GOAL_SLOWER: Final = 15.0  # percent
_ENOUGH: Final = 10  # pairs; the bootstrap of fewer is too sure


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


def judged(total: Row) -> str:
    """Whether what was measured of one contender over all lengths shows the two goals."""
    pairs, slower = total.get("pairs", 0), "too few pairs to say"
    if pairs >= _ENOUGH:
        slower = _verdict(total, "decode_slower_percent", _GOAL_SLOWER)
    late = _verdict(total, "long_late_percent", _GOAL_LATE)
    return (
        f"{total['contender']}: decoding at most {_GOAL_SLOWER:g}% slower: {slower} ({pairs} "
        f"pairs); at most {_GOAL_LATE:g}% of frames late during long answers: {late} "
        f"({total['long_frames_late']} of {total['long_frames_due']})"
    )


def explained(rows: Sequence[Row], totals: Sequence[Row], how: str) -> str:
    """All tables as a Markdown page that says what they show, and how it was measured."""
    return f"{stamp()} | {how}\n\n{_LEGEND}\n\n{summary(totals)}\n\n{page(rows)}\n"


def summary(totals: Sequence[Row]) -> str:
    """What all lengths say together, a column for each contender, and what it is worth."""
    names = [key for key in dict.fromkeys(k for row in totals for k in row) if key != "contender"]
    table = [{"figure": k} | {row["contender"]: row.get(k) for row in totals} for k in names]
    said = "\n".join(f"- {judged(row)}" for row in totals)
    return f"## All lengths together\n\n{markdown(table)}\n\n{said}"


def _verdict(total: Row, figure: str, goal: float) -> str:
    """A goal is met or missed only if the whole interval says so."""
    if total[f"{figure}_high"] <= goal:
        return "met"
    return "missed" if total[f"{figure}_low"] > goal else "open, the interval holds the goal"
