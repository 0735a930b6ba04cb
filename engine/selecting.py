"""Reading by question: a selector chooses from a camera's bank what one answer reads.

An answer without a selector reads the camera's memory. With one it reads the fixed beginning and,
under their timestamps, the visual tokens chosen for its question, prefilled together with it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor

from core.errors import GenerationFailed
from core.tokens import VisualTokens
from engine.bank import joined
from models.vlm import VideoLanguageModel
from pruning.selectors.selector import Question, Selector


@dataclass(frozen=True, slots=True)
class Selecting:
    """How the answers about a camera choose what they read.

    Args:
        selector: the method.
        budget: visual tokens that an answer reads at most.
        bank_steps: temporal steps that it chooses from, the newest.

    Raises:
        ValueError: if the selector cannot run here, or a number is below 1.
    """

    selector: Selector
    budget: int
    bank_steps: int

    def __post_init__(self) -> None:
        check(self.selector)
        if self.budget < 1 or self.bank_steps < 1:
            raise ValueError(f"no budget of {self.budget} tokens from {self.bank_steps} steps")

    def choose(
        self, model: VideoLanguageModel, steps: Sequence[VisualTokens], text: str
    ) -> VisualTokens | None:
        """What to read of `steps` for a question, in order of time; None if there are no steps.

        A step of which nothing is chosen is left out, timestamp and all: nothing was asked of it,
        and timestamps of hundreds of steps would cost more than what is read. Only the words of
        the question itself are heard, not the turns before it.

        Args:
            model: embeds the words.
            steps: the bank's; may be none.
            text: the question.

        Raises:
            GenerationFailed: if the question has no words.
        """
        if not steps:
            return None
        heard = words(model, text)
        bank = joined(steps)
        chosen = bank.select(*self.selector.select(bank, Question(heard), self.budget))
        one_by_one = (chosen.steps(place, place + 1) for place in range(chosen.grid.t))
        return joined([step for step in one_by_one if len(step)])


def check(selector: Selector) -> None:
    """Whether live answers can choose by it.

    Raises:
        ValueError: saying why they cannot.
    """
    if selector.needs_attention:
        raise ValueError(
            f"{selector.method} reads the attention of the question's last word on the whole bank, "
            "for which every answer would first prefill all of it, which is what choosing is to "
            "avoid; it runs in `lookout eval pruning` only"
        )


def words(model: VideoLanguageModel, text: str) -> Tensor:
    """Embeddings of a question's own words, [q, d]: what every question ends with is left out.

    Raises:
        GenerationFailed: if it has none.
    """
    ids, ending = model.question_ids(text, (), ""), model.question_ids("", (), "")
    own = ids[: len(ids) - len(ending)]
    if not own:
        raise GenerationFailed("a question without words cannot choose what it reads")
    return model.lay_text(own, 0).embeds
