"""Hour-LLaVA's forgetting by hand: which steps fade, and which of their places are left."""

from __future__ import annotations

import pytest

from memory.policies.hour_llava import HourLlava
from tests.memory.policies.tables import SINK, Shown, Token, kept

PLACES = [(0, 0), (0, 1), (1, 0), (1, 1)]
# Token 0 is the sink; step g has its mark at 1 + 5 g and its places after it.
TOKENS = [
    Token(SINK, None),
    *(t for g in range(5) for t in [Token(g, None), *(Token(g, place) for place in PLACES)]),
]


def test_of_every_second_step_one_place_in_four_stays_and_places_take_turns():
    policy = HourLlava(recent=0.0, steps=2)
    assert kept(policy, Shown(TOKENS), 20) == {0, 1, 2, 11, 13, 21, 24}


def test_recent_steps_stay_whole():
    assert kept(HourLlava(recent=0.5, steps=2), Shown(TOKENS), 20) == {0, 1, 2, 11, 13, *range(21, 26)}  # fmt: skip # noqa: E501


def test_all_places_and_steps_fade_where_that_is_wanted():
    assert kept(HourLlava(recent=0.0, steps=1, side=1), Shown(TOKENS), 11) == {0, *range(16, 26)}


def test_when_faded_steps_are_too_many_the_oldest_go():
    assert kept(HourLlava(recent=0.0, steps=2), Shown(TOKENS), 5) == {0, 11, 13, 21, 24}


def test_what_has_faded_fades_no_more():
    faded = [TOKENS[i] for i in (0, 1, 2, 11, 13, 21, 24)]
    assert kept(HourLlava(recent=0.0, steps=2), Shown(faded), 6) == {0, 3, 4, 5, 6}


@pytest.mark.parametrize("wrong", [{"recent": 1.5}, {"steps": 0}, {"side": 0}])
def test_parameters_out_of_range_are_refused(wrong):
    with pytest.raises(ValueError, match="in"):
        HourLlava(**wrong)
