"""InfiniPot-V by hand: temporal redundancy (TaR), value norms (VaN), whole recent steps."""

from __future__ import annotations

import pytest
import torch

from memory.policies.infinipot_v import InfiniPotV
from tests.memory.policies.tables import SINK, Shown, Token, kept

A, B, C = (1.0, 0.0, 0.0, 0.0), (0.0, 1.0, 0.0, 0.0), (0.0, 0.0, 1.0, 0.0)


def loud(size: float) -> tuple[float, ...]:
    return (0.0, size, 0.0, 0.0)


def test_recent_steps_stay_whole_and_no_half_of_one_does():
    """Ten tokens of room, a quarter of it recent: two tokens, so one step of two, not two."""
    tokens = [Token(SINK, None)] + [
        Token(group, (0, cell), value=loud(9 - group)) for group in range(7) for cell in range(2)
    ]
    policy = InfiniPotV(target=1.0, recent=0.25, redundancy=0.25)
    assert kept(policy, Shown(tokens), 11) == {0, 13, 14, *range(1, 9)}, "8 more by their values"
    assert kept(policy, Shown(tokens), 8) == {0, 1, 2, 3, 4, 5, 6, 7}, "2 of 7 hold no quarter"


def test_redundancy_is_against_the_recent_key_at_the_same_place():
    """Old tokens at two places; the one that equals what stands there now goes first."""
    tokens = [
        Token(0, (0, 0), A), Token(0, (0, 1), A),
        Token(1, (0, 0), A), Token(1, (0, 1), B),  # the recent step: (0, 1) shows B now
    ]  # fmt: skip
    policy = InfiniPotV(target=1.0, recent=0.7, redundancy=1.0)
    assert kept(policy, Shown(tokens), 3) == {1, 2, 3}, "A at (0, 1) differs from B there"


def test_the_mean_over_recent_steps_counts():
    """cos with (A, A), (A, B) and (B, B): -1, -1/2 and 0; two stay."""
    tokens = [
        *(Token(0, (0, cell), A) for cell in range(3)),
        Token(1, (0, 0), A), Token(1, (0, 1), A), Token(1, (0, 2), B),
        Token(2, (0, 0), A), Token(2, (0, 1), B), Token(2, (0, 2), B),
    ]  # fmt: skip
    policy = InfiniPotV(target=1.0, recent=0.85, redundancy=1.0)
    assert kept(policy, Shown(tokens), 8) == {1, 2, *range(3, 9)}
    policy = InfiniPotV(target=1.0, recent=0.86, redundancy=1.0)
    assert kept(policy, Shown(tokens), 7) == {2, *range(3, 9)}


def test_keys_are_compared_without_their_positions():
    """Equal keys a thousand positions apart, as they are stored, may be at right angles."""
    tokens = [Token(0, (0, 0), B), Token(100, (0, 0), C), Token(200, (0, 0), B)]
    policy = InfiniPotV(target=1.0, recent=0.5, redundancy=1.0)
    assert kept(policy, Shown(tokens), 2) == {1, 2}


def test_how_long_a_key_is_does_not_matter():
    tokens = [
        Token(0, (0, 0), (9.0, 0.0, 0.0, 0.0)), Token(0, (0, 1), (0.1, 0.1, 0.0, 0.0)),
        Token(1, (0, 0), A), Token(1, (0, 1), A),
    ]  # fmt: skip
    policy = InfiniPotV(target=1.0, recent=0.7, redundancy=1.0)
    assert kept(policy, Shown(tokens), 3) == {1, 2, 3}


def test_places_are_those_of_the_picture_even_after_heads_came_to_differ():
    """Head 0 lost the old (0, 0), head 1 the old (0, 1): slot numbers say nothing any more."""
    tokens = [
        Token(0, (0, 0), A), Token(0, (0, 1), A), Token(0, (1, 0), A),
        Token(1, (0, 0), B), Token(1, (0, 1), A), Token(1, (1, 0), B),
    ]  # fmt: skip
    heads = torch.tensor([[[1, 2, 3, 4, 5], [0, 2, 5, 4, 3]]])
    policy = InfiniPotV(target=1.0, recent=0.75, redundancy=1.0)
    shown = Shown(tokens, heads)
    assert kept(policy, shown, 4, head=0) == {2, 3, 4, 5}, "(0, 1) still shows A"
    shown.keys = {(0, 1, 5): A}  # in the other head the old (1, 0) is what has not changed
    assert kept(policy, shown, 4, head=1) == {0, 3, 4, 5}


def test_a_mark_is_compared_with_the_whole_recent_picture_and_not_with_its_first_corner():
    """A mark has no row and no column; its position has none either, which looks like (0, 0)."""
    tokens = [
        Token(0, None, A), Token(0, (0, 1), (0.0, 0.866, 0.5, 0.0)),
        Token(1, (0, 0), A), Token(1, (0, 1), C), Token(1, (0, 2), C), Token(1, (0, 3), C),
    ]  # fmt: skip
    policy = InfiniPotV(target=1.0, recent=0.8, redundancy=1.0)
    assert kept(policy, Shown(tokens), 5) == {0, *range(2, 6)}, "-1/4 for the mark, -1/2 at (0, 1)"
    tokens[1] = Token(0, (0, 1), (0.0, 1.0, 0.2, 0.0))
    assert kept(policy, Shown(tokens), 5) == {1, *range(2, 6)}, "-1/4 for the mark, -0.2 at (0, 1)"


def test_a_place_that_no_recent_step_holds_is_compared_with_all_of_it():
    tokens = [
        Token(0, (3, 3), A), Token(0, (3, 2), B),
        Token(1, (0, 0), A), Token(1, (0, 1), A),
    ]  # fmt: skip
    policy = InfiniPotV(target=1.0, recent=0.7, redundancy=1.0)
    assert kept(policy, Shown(tokens), 3) == {1, 2, 3}


def test_what_redundancy_does_not_choose_goes_by_the_size_of_its_values():
    tokens = [Token(0, (0, cell), A, loud(size)) for cell, size in enumerate([3, 1, 5, 2, 4])]
    tokens += [Token(1, (0, cell), A) for cell in range(5)]
    policy = InfiniPotV(target=1.0, recent=0.7, redundancy=0.7)
    assert kept(policy, Shown(tokens), 8) == {0, 2, 4, *range(5, 10)}
    sign = [Token(0, (0, cell), A, loud(-size)) for cell, size in enumerate([3, 1, 5, 2, 4])]
    assert kept(policy, Shown(sign + tokens[5:]), 8) == {0, 2, 4, *range(5, 10)}


def test_redundancy_and_values_get_their_shares():
    """Of 8: recent 2, redundancy up to 4, and 4 by value."""
    novel = [Token(0, (0, cell), B if cell < 4 else A) for cell in range(4)]
    loudest = [Token(1, (0, cell), A, loud(5)) for cell in range(6)]
    now = [Token(2, (0, cell), A) for cell in range(2)]
    policy = InfiniPotV(target=1.0, recent=0.25, redundancy=0.5)
    found = kept(policy, Shown(novel + loudest + now), 8)
    assert {10, 11} <= found
    assert len(found & set(range(4))) == 2
    assert len(found & set(range(4, 10))) == 4


def test_it_compresses_to_a_share_of_the_limit_when_it_must_and_not_before():
    tokens = [Token(SINK, None)] + [Token(g, (0, c)) for g in range(5) for c in range(3)]
    policy = InfiniPotV(target=0.75)
    assert policy.retain(Shown(tokens).contents(), Shown([]).contents().tokens, 16) is None
    assert len(kept(policy, Shown(tokens), 15)) == 11, "int(0.75 * 15), the sink among them"


@pytest.mark.parametrize("wrong", [{"target": 0.0}, {"target": 1.1}, {"recent": 0.6},
                                   {"redundancy": 1.2}, {"recent": -0.1}])  # fmt: skip
def test_shares_that_make_no_sense_are_refused(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        InfiniPotV(**wrong)
