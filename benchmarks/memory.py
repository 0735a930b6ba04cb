"""`lookout bench memory`: what every memory preset costs as a stream grows to hours.

All presets watch one stream side by side at equal bytes; at some lengths each takes its turn with
the same segments and the same question, so that whatever else the machine does hits all alike. The
stream is accelerated: the camera looks for one temporal step and then not for a while, and pictures
repeat, so that hours are a few hundred steps; clocks are those of the whole time. Memories that
count seconds hold less of such a stream than of one that is watched without a break (`--every 1`).
With `--days 7` the stream jumps to its second and its eighth day instead (`benchmarks.days`).
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from itertools import count
from pathlib import Path
from typing import Final

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # before torch: others share the cores

import torch

from benchmarks.days import measure
from benchmarks.footage import Footage, seen
from benchmarks.report import Row, markdown, publish, stamp
from benchmarks.turns import Cost, Look, costs, look
from core.errors import ConfigError, LookoutError
from engine.recalling import Recalling
from engine.side_by_side import Place, SideBySide
from memory.presets import PRESETS, SINK_WINDOW, Preset, room
from models.loading import load_model
from models.vlm import VideoLanguageModel
from stream.settings import ArchiveSettings, MemorySettings, PruningSettings

MINUTES: Final = (1.0, 10.0, 60.0, 240.0)
_PAGE: Final = MemorySettings().page_size
_PICTURES: Final = 32  # different segments of the stream; then they repeat


def main(argv: Sequence[str]) -> int:
    """Measure and publish; 0 when measured, 1 on a failure, 2 for a wrong call."""
    options = _parser().parse_args(argv)
    torch.set_num_threads(1)
    try:
        rows = _measure(options)
        if options.plot:
            _draw(rows, options.plot)
    except LookoutError as error:
        print(f"lookout bench memory: {error}", file=sys.stderr)
        return error.exit_status
    if options.markdown:
        options.markdown.write_text(f"{stamp()}\n\n{markdown(rows)}\n", encoding="utf-8")
    publish(rows, options.json)
    return 0


def _measure(options: argparse.Namespace) -> list[Row]:
    chosen = _chosen(options.preset or [])
    if options.every < 1 or options.rounds < 1 or min(options.minutes) <= 0:
        raise ConfigError("--every and --rounds: at least 1; --minutes: above 0")
    if options.days is not None and (options.days < 1 or options.plot):
        raise ConfigError("--days: at least 1, and without --plot")
    model = load_model(options.model)
    pruning = PruningSettings()
    film = seen(model, "stream", options.source, _PICTURES, 1)
    places = [_place(model, preset, options.tokens) for preset in chosen]
    kept = (pruning.policy, pruning.budget)
    if options.days is not None:
        return measure(
            model, film, places, kept, days=options.days, rounds=options.rounds, page_size=_PAGE
        )
    rows: list[Row] = []
    with SideBySide(model, places, *kept, segment_steps=1, answers=1, page_size=_PAGE) as memories:
        memories.open(memories.places)
        stream, entered, now = _stream(film, options.every), 0, 0.0
        for minutes in sorted(options.minutes):
            while now < 60 * minutes:
                now, (segment, tokens) = next(stream)
                memories.perceive(segment, dict.fromkeys(memories.open_names, tokens))
                entered += 1
            looks = [next(stream)[1] for _ in range(options.rounds)]
            found = costs(memories, [dict.fromkeys(memories.open_names, one) for one in looks])
            entered += options.rounds
            rows += _rows(memories, minutes, entered, found)
    return rows


def _stream(film: Footage, every: float) -> Iterator[tuple[float, Look]]:
    """Without end: time, and frames and tokens, of one temporal step after the other."""
    for number in count():
        yield number * every, look(film, number, number * every)


def _rows(
    memories: SideBySide, minutes: float, entered: int, found: Mapping[str, Cost]
) -> list[Row]:
    usual = found[SINK_WINDOW]
    return [
        {
            "minutes": minutes,
            "steps": entered,
            "preset": name,
            "held_tokens": memories.memory(name).held,
            "held_bytes": memories.held_bytes(name),
            "ms_per_segment": found[name].segment,
            "segment_times_sink_window": found[name].segment / usual.segment,
            "ms_to_first_token": found[name].first_token,
            "first_token_times_sink_window": found[name].first_token / usual.first_token,
        }
        for name in memories.open_names
    ]


def _place(model: VideoLanguageModel, preset: Preset, tokens: int) -> Place:
    try:
        size = room(preset, model.shape, tokens, _PAGE)
    except ValueError as error:
        raise ConfigError(f"--tokens {tokens}: {error}") from None
    recalling = None
    if preset.archived is not None:
        codec, gate = preset.archived.codec, preset.archived.gate
        recalling = Recalling(codec, gate, size.archive_bytes, ArchiveSettings().budget)
    return Place(preset.name, preset.policy, size.capacity, recalling)


def _chosen(names: Sequence[str]) -> list[Preset]:
    """Those named, or all; `sink_window`, which all are compared with, is always among them.

    Raises:
        ConfigError: naming what there is.
    """
    known = [preset.name for preset in PRESETS]
    if unknown := set(names) - set(known):
        listed = ", ".join(known)
        raise ConfigError(f"--preset {', '.join(sorted(unknown))}: unknown; there are: {listed}")
    wanted = {*(names or known), SINK_WINDOW}
    return [preset for preset in PRESETS if preset.name in wanted]


def _draw(rows: Sequence[Row], path: Path) -> None:
    try:
        from benchmarks.memory_plot import draw
    except ImportError:
        raise ConfigError("--plot needs matplotlib: pip install lookout-live[eval]") from None
    draw(rows, path)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="lookout bench memory", description=__doc__)
    parser.add_argument("--preset", action="append", help="repeatable; all unless named")
    parser.add_argument(
        "--minutes", nargs="+", type=float, default=MINUTES, help="lengths to measure at"
    )
    parser.add_argument(
        "--every", type=float, default=10.0, help="seconds between two looks of the camera"
    )
    parser.add_argument(
        "--days", type=int, help="compare the first day, a day and so many later; no --minutes"
    )
    parser.add_argument("--rounds", type=int, default=9, help="segments timed at each length")
    parser.add_argument(
        "--tokens",
        type=int,
        default=MemorySettings().capacity,
        help="every preset takes the bytes of so many",
    )
    parser.add_argument("--source", default="demo:busy", help="whose pictures repeat")
    parser.add_argument("--model", default="embedded", help="embedded, a folder, or an id")
    parser.add_argument("--json", type=Path, help="also write the rows to this file")
    parser.add_argument("--markdown", type=Path, help="also write them as a table to this file")
    parser.add_argument("--plot", type=Path, help="also draw them into this PNG file")
    return parser


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
