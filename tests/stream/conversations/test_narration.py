from __future__ import annotations

import pytest

from core.errors import Busy, QuestionTooLong
from core.events import ResponseDone
from stream.cameras.answer import AnswerResult
from stream.conversations.narration import Narration


@pytest.mark.parametrize("cause", [QuestionTooLong("too long: shorten it"), Busy("ask again")])
def test_an_answer_that_failed_says_what_of_and_not_just_that_it_did(cause):
    told = []
    narration = Narration(told.append, response_id="resp_1", item_id="item_1", camera="porch")
    narration.begin(None)
    narration.end(
        AnswerResult("", "error", str(cause), 0, 0, 0, 0.0, None, 0.0, None, None, (), cause), []
    )
    (done,) = [event for event in told if isinstance(event, ResponseDone)]
    details = done.response.status_details
    assert details is not None
    assert (details.type, details.reason) == ("failed", cause.code)
    assert details.error is not None
    assert (details.error.code, details.error.message) == (cause.code, str(cause))
