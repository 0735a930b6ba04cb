from __future__ import annotations

import pytest

from client.errors import error_of
from core.errors import Busy, LookoutError, Overloaded
from stream.conversations.wire import error_body


@pytest.mark.parametrize("wait", [None, 2.5])
def test_when_to_ask_again_survives_the_wire(wait):
    back = error_of(error_body(Busy("full", wait)))
    assert isinstance(back, Busy)
    assert (str(back), back.retry_after_s) == ("full", wait)


def test_an_error_comes_back_as_what_it_was_and_an_unknown_one_as_an_error_of_ours():
    assert type(error_of(error_body(Overloaded("87% busy")))) is Overloaded
    unknown = error_body(LookoutError("odd")).model_copy(update={"code": "from_the_future"})
    assert type(error_of(unknown)) is LookoutError
