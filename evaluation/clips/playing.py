"""Clips through the real pipeline, each question asked when its time has come."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from core.errors import AnswerError
from evaluation.clips.questions import Question
from evaluation.clips.views import View, ViewedSource
from stream.compose import House
from stream.replay import Replay
from stream.sources import MaxPace, open_source


@dataclass(frozen=True, slots=True)
class Player:
    """Plays files as fast as the engine takes them, with nothing lost.

    Args:
        house: model, engine and cameras; its pace must be `MaxPace`.
        max_tokens: of an answer.
    """

    house: House
    max_tokens: int

    async def play(self, path: Path, view: View, questions: Sequence[Question]) -> list[str]:
        """What is said to each question while the file plays, seen through a view.

        Raises:
            SourceUnavailable: if the file cannot be decoded.
            AnswerError: if a question was not answered: that is no wrong answer.
        """
        asked = [(question.at, question.text) for question in questions]
        replay = Replay(
            self.house,
            asked,
            duration=max(at for at, _ in asked),
            max_tokens=self.max_tokens,
        )
        rows, _ = await replay.run(
            lambda: ViewedSource(open_source(str(path), pace=MaxPace()), view), str(path)
        )
        found = {(row.asked_at, row.question): row.result for row in rows}
        for (at, text), result in found.items():
            if result.error:
                raise AnswerError(f"{path.name} at {at:g} s: {text} {result.error}")
        return [found[key].text for key in asked]
