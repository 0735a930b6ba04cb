"""What is asked of a camera reaches the engine whole."""

from __future__ import annotations

from dataclasses import fields

import numpy as np
import pytest

from engine.requests import Ask, Begun, Ended
from stream.cameras.answer import Answer, Evidence, Question, Turn
from stream.cameras.asking import Listener, to_ask

PICTURE = np.zeros((16, 16, 3), np.uint8)
ASKED = Question(
    "What is new?", "Be brief.", (Turn("user", "Hello"),), (PICTURE,), 7, 0.5, standing=True
)


@pytest.mark.parametrize("name", [field.name for field in fields(Question)])
def test_every_field_of_a_question_arrives(name):
    given, arrived = getattr(ASKED, name), getattr(to_ask(ASKED), name)
    assert given != next(f.default for f in fields(Question) if f.name == name)
    if name == "history":
        given = (("user", "Hello"),)
    assert arrived == given


def test_whoever_asks_once_is_not_met_with_silence():
    assert not to_ask(Question("What is new?")).standing
    assert not Ask("What is new?").standing


@pytest.mark.parametrize(("saw", "end"), [(6.5, 6.5), (4.0, 4.0), (None, 4.0)])
async def test_the_evidence_goes_as_far_as_the_answer_saw(saw, end):
    answer = Answer(lambda: None)
    listener = Listener(answer, "porch", 0.1, "", lambda: None)
    listener.begun(Begun(3, 10, 1.0, 4.0, 0.0))
    listener.ended(Ended("stop", 1, 0.0, t_end=saw))
    await answer.aclose()
    assert answer.result is not None
    assert answer.result.evidence == (Evidence("porch", 1.0, end),)
