"""`lookout run`: a source through the real pipeline, answers on the terminal and as JSON lines."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TextIO

from core.errors import ConfigError
from stream.commands.serve import log_to_stderr
from stream.compose import open_house
from stream.configuration import load_settings
from stream.kept import KeptPictures
from stream.replay import Asked, RecordedPace, Replay, Summary
from stream.settings import Settings
from stream.sources import MaxPace, Pace, Sources
from stream.sources.sampler import Sampler

_TIME = re.compile(r"(\d+:){0,2}\d+(\.\d+)?")
END_S = 1.0  # what the last frame shows counts for as long as this
SPEEDS: dict[str, Callable[[], Pace]] = {"realtime": RecordedPace, "max": MaxPace}


@dataclass(frozen=True, slots=True)
class RunOptions:
    """What the command line said; None and empty: nothing."""

    source: str
    questions: Sequence[str]
    duration: str | None
    speed: str
    fps: float | None
    pruning: str | None
    budget: int | None
    memory: int | None
    model: str | None
    json_file: str | None
    save_kept: str | None
    config: Sequence[str]

    def settings(self) -> Settings:
        """The settings that this makes, without any camera of the configuration.

        Raises:
            ConfigError: if something is not understood.
        """
        overrides: dict[str, Any] = {}
        for section, key, value in (
            ("sampling", "fps", self.fps),
            ("pruning", "budget", self.budget),
            ("pruning", "policy", self.pruning and {"method": self.pruning}),
            ("memory", "capacity", self.memory),
            ("model", "name", self.model),
        ):
            if value is not None:
                overrides.setdefault(section, {})[key] = value
        return load_settings(self.config, overrides).model_copy(update={"cameras": {}})


async def run(options: RunOptions) -> None:
    """Play the source and answer.

    Raises:
        LookoutError: if the call is wrong, or the model or the source fails.
    """
    questions = [parse_question(text) for text in options.questions]
    duration = None if options.duration is None else parse_time(options.duration)
    if options.speed not in SPEEDS:
        raise ConfigError(f"--speed {options.speed}: unknown; allowed: {', '.join(SPEEDS)}")
    settings = options.settings()
    log_to_stderr("warning")
    pace = SPEEDS[options.speed]()
    await check(options.source)
    with ExitStack() as stack:
        out = _json_file(options.json_file, stack)
        pictures = None if options.save_kept is None else KeptPictures(Path(options.save_kept))
        async with open_house(settings, pace=pace) as house:
            replay = Replay(
                house,
                questions,
                duration=duration,
                max_tokens=settings.answer.max_tokens,
                on_start=_speak if out is not sys.stdout else None,
                witness=pictures,
            )
            asked, summary = await replay.run(house.sources.of(options.source), options.source)
        _report(asked, summary, out)


async def check(url: str) -> None:
    """What is wrong with an address, or a file, is said before the model is loaded.

    Raises:
        ConfigError: if the address is not understood.
        SourceUnavailable: if a recording cannot be read.
    """
    source = Sources().of(url)()
    if source.live or _flows(url):
        return  # a camera that is away may come back, and what flows by is there only once
    try:
        await source.open(Sampler(1))
    finally:
        await source.close()


def _flows(url: str) -> bool:
    """Whether it is a pipe or a device, which cannot be opened a second time."""
    path = Path(url.removeprefix("file:"))
    try:
        return path.is_fifo() or path.is_char_device()
    except (OSError, ValueError):  # not the name of a file
        return False


def parse_time(text: str) -> float:
    """Seconds from `90`, `1:30` or `1:02:03`.

    Raises:
        ConfigError: for anything else.
    """
    if not _TIME.fullmatch(text):
        raise ConfigError(f"{text!r} is no time; say seconds (90) or minutes and seconds (1:30)")
    seconds = 0.0
    for part in text.split(":"):
        seconds = seconds * 60 + float(part)
    return seconds


def parse_question(text: str) -> tuple[float, str]:
    """Stream time and question from `T=QUESTION`.

    Raises:
        ConfigError: if there is no time or no question.
    """
    time, equals, question = text.partition("=")
    if not equals or not question.strip():
        raise ConfigError(f"--ask {text!r}: say T=QUESTION, for example 1:30=What is there?")
    return parse_time(time.strip()), question.strip()


def _json_file(name: str | None, stack: ExitStack) -> TextIO | None:
    if name is None:
        return None
    if name == "-":
        return sys.stdout
    try:
        return stack.enter_context(open(name, "w", encoding="utf-8"))
    except OSError as error:
        raise ConfigError(
            f"--json {name}: {(error.strerror or 'cannot be written').lower()}"
        ) from None


def _speak(asked_at: float, text: str) -> Callable[[str], None]:
    """Print a question, and then its answer as it comes."""
    print(f"\n[{asked_at:.1f} s] {text}\n> ", end="", flush=True)
    return lambda words: print(words, end="", flush=True)


def _report(asked: Sequence[Asked], summary: Summary, out: TextIO | None) -> None:
    rows = [one.row() for one in asked]
    if out is not None:
        for row in (*rows, {"summary": asdict(summary)}):
            out.write(json.dumps(row, ensure_ascii=False) + "\n")
        out.flush()
    if out is sys.stdout:
        return
    print()
    for one in asked:
        result = one.result
        ttft = "-" if result.ttft_ms is None else f"{result.ttft_ms:.0f} ms"
        problem = f" ({result.error})" if result.error else ""
        if not problem and one.asked_at > summary.duration_s + END_S:
            problem = f" (the stream had ended at {summary.duration_s:.1f} s)"
        print(
            f"[{one.asked_at:.1f} s] {result.finish_reason}{problem}, first token {ttft}, "
            f"{result.completion_tokens} tokens"
        )
    print(
        f"{summary.duration_s:.1f} s watched: {summary.frames_in} frames in, "
        f"{summary.frames_dropped} dropped, {summary.frames_skipped} passed over, "
        f"{summary.segments} segments, "
        f"{summary.tokens_kept} of {summary.tokens_encoded} visual tokens kept, "
        f"memory {summary.memory_held} of {summary.memory_capacity} tokens, "
        f"lag p95 {'-' if summary.lag_p95_ms is None else f'{summary.lag_p95_ms:.0f} ms'}"
    )
