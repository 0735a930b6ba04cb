"""Responders without a model: one that knows the truth, one that always says the same."""

from __future__ import annotations

from evaluation.responders import Night, Reply


class Oracle:
    """Says what the scenes' logs say, and nothing in the dark or where silence is right.

    Args:
        drawn: scenes with their questions.
        watched: scenes with their vigils.
    """

    def __init__(self, drawn=(), watched=()) -> None:
        self._known = {}
        for scene, posed in drawn:
            for one in posed:
                self._known[scene.url, one.step, one.question.text] = one.question.answer
        for scene, vigils in watched:
            for vigil in vigils:
                for due in vigil.due:
                    step = next(n for n, t in enumerate(vigil.asked, 1) if t > due.t)
                    self._known[scene.url, step, vigil.text] = due.says[0]

    async def answers(self, scene, puts):
        return [Reply(self._known.get((scene.url, put.step, put.text), ""), 0.0) for put in puts]


class Parrot:
    """Says the same whatever it sees, and counts what it was asked in the dark.

    Args:
        words: what it says.
    """

    def __init__(self, words: str) -> None:
        self._words = words
        self.watched = []  # (whether it was dark, number of texts)

    async def answers(self, scene, puts):
        self.watched.append((isinstance(scene.world, Night), len(puts)))
        assert len(set(puts)) == len(puts)
        return [Reply(self._words, 0.0) for _ in puts]
