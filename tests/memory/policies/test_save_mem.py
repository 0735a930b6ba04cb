"""SAVEMem's tiers by hand: what is shown again goes, the rest is thinned to anchors when full."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from memory.observation import Observed
from memory.policies.save_mem import SaveMem, otsu
from memory.table import described
from tests.memory.policies.tables import SINK, Shown, Token, kept

E1, E2, E3 = (1.0, 0.0, 0.0, 0.0), (0.0, 1.0, 0.0, 0.0), (0.0, 0.0, 1.0, 0.0)


def toward(cosine: float, one: int = 0) -> tuple[float, ...]:
    """A key of length 1 with this cosine to the first or second of the keys above."""
    key = [0.0, 0.0, 0.0, (1 - cosine**2) ** 0.5]
    key[one] = cosine
    return tuple(key)


def left(tokens: list[Token], watched: int | None = None) -> set[int]:
    """Which stay when one more step comes into a short tier of two, and there is room."""
    contents = Shown(tokens).contents()
    if watched is not None:
        seen = Observed(1)
        seen.note(0, 40 * contents.keys(0)[:, watched][None])
        contents = replace(contents, observed=seen)
    at = np.full((1, 3), 90)
    incoming = described(at, np.array([9.0]), None, 9)
    found = SaveMem(short=2).retain(contents, incoming, 99)
    stay = contents.filled if found is None else found.stay
    return set(contents.rows[0, 0][stay[0, 0]].tolist())


def test_what_the_next_step_shows_again_nearby_goes():
    tokens = [Token(SINK, None), Token(0, None), Token(0, (0, 0), E1), Token(0, (0, 5), E2),
              Token(0, (5, 0), E3), Token(0, (5, 5), E1),
              Token(1, (0, 1), E1), Token(1, (0, 5), E2), Token(1, (5, 0), E1),
              Token(1, (5, 3), E1)]  # fmt: skip
    assert left(tokens) == {0, 1, 4, 5, 6, 7, 8, 9}, "another thing, and one two places away"


def test_a_step_before_a_change_of_scene_is_spared():
    one = [Token(0, (0, i), E1) for i in range(4)]
    assert left([*one, *(Token(1, (0, i), toward(0.2)) for i in range(4))]) == set(range(8))
    assert left([*one, *(Token(1, (0, i), toward(0.9)) for i in range(4))]) == set(range(4, 8))


def test_evenly_alike_tokens_go_above_a_limit_only():
    one = [Token(0, (0, i), E1) for i in range(3)]
    assert left([*one, *(Token(1, (0, i), toward(0.7)) for i in range(3))]) == set(range(6))


def test_what_is_looked_at_must_be_more_alike_to_go():
    one = [Token(0, (2 * i, 0), E2) for i in range(3)]  # whose keys turn with the row
    for cosine, spared in ((0.9, {1}), (0.97, set())):
        again = [Token(1, (2 * i, 0), toward(cosine, one=1)) for i in range(3)]
        assert left([*one, *again], watched=1) == {*spared, 3, 4, 5}


def test_a_step_leaves_the_short_tier_once():
    middle = [Token(0, (0, 0), E1), Token(1, (0, 0), E1), Token(2, (0, 0), E1)]
    assert left(middle) == {0, 2}, "step 0 left before step 1 did"


def test_when_memory_is_full_the_oldest_step_is_thinned_to_one_token_of_each_kind():
    tokens = [Token(0, (0, i), E1 if i < 3 else E2) for i in range(6)]
    tokens += [Token(g, (0, i), (E1, E2, E3)[i]) for g in (1, 2, 3) for i in range(3)]
    policy = SaveMem(short=2, anchors=2)
    assert kept(policy, Shown(tokens), 15) == set(range(15))
    assert kept(policy, Shown(tokens), 14) == {0, 3, *range(6, 15)}
    assert len(kept(policy, Shown(tokens), 10) & {6, 7, 8}) == 2
    assert kept(policy, Shown(tokens), 6) == set(range(9, 15)), "at last the oldest go"


def test_two_classes_are_parted_where_they_lie_farthest_apart():
    assert otsu(np.array([0.9, 0.0, 1.0, 0.1])) == 0.1
    assert otsu(np.array([0.5, 0.5, 0.5])) == 0.5
    assert otsu(np.array([0.3])) == 0.3


@pytest.mark.parametrize("wrong", [{"short": 1}, {"anchors": 0}, {"watched": 0}])
def test_parameters_out_of_range_are_refused(wrong):
    with pytest.raises(ValueError, match="at least"):
        SaveMem(**wrong)
