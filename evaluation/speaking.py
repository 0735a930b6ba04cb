"""Speak or be silent: words held against the moments that call for them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Any

from evaluation.paired.shares import Share
from evaluation.rows import Due, Vigil
from evaluation.standing import NEAR
from worlds.wording import normal


@dataclass
class Tally:
    """What became of all words and all moments."""

    delays: list[float] = field(default_factory=list)  # seconds, of words that met a moment
    right: int = 0  # of these, right ones
    again: int = 0  # words about a moment that others had met, or that nothing is expected at
    false: int = 0  # words about nothing
    missed: int = 0  # moments without words
    seconds: float = 0.0  # watched

    def scores(self) -> dict[str, Any]:
        """F1 and what it is made of.

        `f1` takes words about a moment for said once if they are repeated while it is near, as a
        listener does; `f1_strict` counts every repetition as a false alarm.
        """
        hits = len(self.delays)
        due, said = hits + self.missed, hits + self.false
        return {
            "f1": _f1(hits, self.false, self.missed),
            "f1_strict": _f1(hits, self.false + self.again, self.missed),
            "precision": _share(hits, said),
            "recall": _share(hits, due),
            "median_delay_s": median(self.delays) if self.delays else None,
            "false_alarms_per_minute": 60 * self.false / self.seconds if self.seconds else None,
            "repeated": self.again,
            "right_words": _share(self.right, hits),
            "events": due,
            "minutes": self.seconds / 60,
        }


def scores(vigils: Sequence[Vigil]) -> dict[str, Any]:
    """Of the model, and of black video, always speaking and never speaking.

    Args:
        vigils: with what was said.

    Returns:
        `Tally.scores`, `vigils`, and under `blank`, `always` and `never` the scores of these; of
        black video over the vigils that were put so, with `always_f1` over the same; None if none
        was.
    """
    dark = [vigil for vigil in vigils if vigil.blank is not None]
    blank = {
        **_tally(dark, lambda vigil: vigil.blank or ()).scores(),
        "always_f1": _tally(dark, _always).scores()["f1"],
    }
    return {
        **_tally(vigils, lambda vigil: vigil.said).scores(),
        "vigils": len(vigils),
        "blank": blank if dark else None,
        "always": _tally(vigils, _always).scores(),
        "never": _tally(vigils, lambda vigil: ("",) * len(vigil.asked)).scores(),
    }


def _always(vigil: Vigil) -> Sequence[str]:
    return ("!",) * len(vigil.asked)


def table(vigils: Sequence[Vigil]) -> dict[str, dict[str, Any]]:
    """Scores by task, and of all under `standing`."""
    tasks = dict.fromkeys(vigil.task for vigil in vigils)
    found = {task: scores([v for v in vigils if v.task == task]) for task in tasks}
    return {**found, "standing": scores(vigils)} if vigils else {}


def mistakes(vigils: Sequence[Vigil], most: int) -> list[dict[str, Any]]:
    """Vigils that went wrong, at most `most`: what was due and what was said, by time."""
    found: list[dict[str, Any]] = []
    for vigil in vigils:
        tally = _tally([vigil], lambda one: one.said)
        if len(found) < most and (tally.false or tally.missed or tally.right < len(tally.delays)):
            pairs = zip(vigil.asked, vigil.said, strict=True)
            found.append(
                {
                    "task": vigil.task,
                    "text": vigil.text,
                    "due": [[round(due.t, 2), *due.says] for due in vigil.due],
                    "said": [[round(t, 2), words] for t, words in pairs if words.strip()],
                    "world": vigil.url,
                    "from": vigil.start,
                }
            )
    return found


def _tally(vigils: Sequence[Vigil], said: Callable[[Vigil], Sequence[str]]) -> Tally:
    tally = Tally()
    for vigil in vigils:
        _judge(tally, vigil, said(vigil))
    return tally


def _judge(tally: Tally, vigil: Vigil, said: Sequence[str]) -> None:
    """Each moment is met by the first words near it; no words meet two."""
    open_: list[Due] = list(vigil.due)
    moments = [*(due.t for due in vigil.due), *vigil.unjudged]
    for t, words in zip(vigil.asked, said, strict=True):
        if not words.strip():
            continue
        met = next((due for due in open_ if abs(t - due.t) <= NEAR), None)
        if met is not None:
            open_.remove(met)
            tally.delays.append(t - met.t)
            tally.right += normal(words) in map(normal, met.says)
        elif any(abs(t - moment) <= NEAR for moment in moments):
            tally.again += 1
        else:
            tally.false += 1
    tally.missed += len(open_)
    if len(vigil.asked) > 1:
        tally.seconds += len(vigil.asked) * (vigil.asked[1] - vigil.asked[0])


def _f1(hits: int, false: int, missed: int) -> float:
    return 2 * hits / (2 * hits + false + missed) if hits else 0.0


def _share(part: int, whole: int) -> dict[str, float] | None:
    if not whole:
        return None
    found = Share(part, whole, 0.0)
    return {"value": found.value, "low": found.interval[0], "high": found.interval[1], "n": whole}
