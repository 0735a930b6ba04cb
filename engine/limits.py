"""How much the engine takes on; the pool is sized from it, once."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

from memory.reach import Reach

PROXY: Final = 8  # most tokens of the question nobody asked that a memory policy may put


@dataclass(frozen=True, slots=True)
class Limits:
    """How much the engine takes on; the pool is sized from it once.

    Args:
        cameras: memories open at once.
        answers: answers given at once.
        waiting: answers that may wait for a place; one more is refused.
        capacity: tokens per camera's memory.
        prompt_tokens: most tokens of a question with its history and pictures.
        answer_tokens: most tokens of an answer.
        segment_steps: most temporal steps of a segment.
        page_size: slots per page.
        selector_budget: most visual tokens that an answer reads by choice; 0 where none chooses.
        bank_steps: most temporal steps that it chooses from.
        recall_budget: most tokens that an answer reads of an archive.
        noting: tokens of each capacity that are for notes; 0 where none are taken.
        note_tokens: that asking for a note and saying it take at most.
        load: share of the engine's time that cameras may need together.
        lag_s: seconds within which frames shall be in memory, also if those of all cameras come at
            once; where it would take longer, one more camera is refused.
    """

    cameras: int = 4
    answers: int = 4
    waiting: int = 8
    capacity: int = 512
    prompt_tokens: int = 2048
    answer_tokens: int = 512
    segment_steps: int = 2
    page_size: int = 16
    selector_budget: int = 0
    bank_steps: int = 0
    recall_budget: int = 0
    noting: int = 0
    note_tokens: int = 0
    load: float = 0.8
    lag_s: float = math.inf

    def reach(self, positions: int | None) -> Reach | None:
        """How far back memories may hold something, so that the ends of answers still reach it.

        Args:
            positions: over which the model was made to look back; half of them are the memory's
                however long answers may be.
        """
        if positions is None:
            return None
        said = self.prompt_tokens + self.answer_tokens + self.recall_budget
        return Reach(max(positions - said, positions // 2))

    def private_tokens(self, marker_tokens: int) -> int:
        """Most tokens that an answer has to itself: what it chose or recalled, asks and says.

        Args:
            marker_tokens: most tokens of the timestamp and markers of a temporal step.
        """
        chosen_steps = min(self.selector_budget, self.bank_steps)
        chosen = self.selector_budget + chosen_steps * marker_tokens
        return max(chosen, self.recall_budget) + self.prompt_tokens + self.answer_tokens

    def pages(self, step_tokens: int, marker_tokens: int) -> int:
        """Pages for all cameras and answers at their worst, copies on write included.

        Args:
            step_tokens: most tokens of a temporal step, its timestamp and markers included.
            marker_tokens: most tokens of the timestamp and markers alone.
        """

        def pages(tokens: int) -> int:
            return -(-tokens // self.page_size)

        # A change of picture size flushes a held-back step together with a whole segment.
        segment = pages((self.segment_steps + 1) * step_tokens)
        camera = pages(self.capacity) + segment + pages(PROXY)
        # A question that recalls first asks with its own words, in pages that it gives back.
        answer = pages(self.capacity) + pages(self.private_tokens(marker_tokens))
        if self.recall_budget:
            answer += pages(self.prompt_tokens)
        note = 0
        if self.noting:  # one is written at a time, and some may be computed anew meanwhile
            note = pages(self.capacity) + pages(self.note_tokens) + pages(self.noting) + 1
        return self.cameras * camera + self.answers * answer + note
