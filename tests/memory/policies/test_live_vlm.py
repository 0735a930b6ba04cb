"""LiveVLM's vision sink bucketing by hand, and against a slow reference."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from memory.policies.live_vlm import LiveVLM
from tests.memory.policies.tables import SINK, Shown, Token, kept, looking

torch.set_num_threads(1)


def steps(count: int, size: int = 1) -> list[Token]:
    return [Token(group, (cell // 4, cell % 4)) for group in range(count) for cell in range(size)]


def watched(tokens: list[Token], scores: list[float]) -> Shown:
    return looking(Shown(tokens), torch.tensor([[scores]]))


def test_no_stretch_of_the_past_is_emptied_by_a_brighter_one():
    """Four buckets of four; the highest scores all lie in one of them."""
    scores = [1.0, 2, 3, 4, 9, 9.1, 9.2, 9.3, 4, 3, 2, 1, 5, 6, 7, 8]
    policy = LiveVLM(target=1.0, recent=0.0, forced=0.0)
    assert kept(policy, watched(steps(16), scores), 4) == {3, 7, 8, 15}


def test_the_highest_scores_stay_wherever_they_are_and_the_rest_is_dealt():
    """Half of four is forced: both of the second stretch; two buckets of what is left."""
    scores = [1.0, 2, 3, 4, 9, 9.1, 9.2, 9.3, 4, 3, 2, 1, 5, 6, 7, 8]
    policy = LiveVLM(target=1.0, recent=0.0, forced=0.5)
    assert kept(policy, watched(steps(16), scores), 4) == {6, 7, 5, 15}


def test_a_bucket_keeps_as_many_as_it_is_said_to():
    scores = [1.0, 2, 3, 4, 9, 9.1, 9.2, 9.3, 4, 3, 2, 1, 5, 6, 7, 8]
    policy = LiveVLM(target=1.0, recent=0.0, forced=0.0, bucket=2)
    assert kept(policy, watched(steps(16), scores), 4) == {6, 7, 14, 15}


def test_recent_steps_stay_whole_whatever_they_score():
    scores = [9.0] * 6 + [0.0] * 2
    policy = LiveVLM(target=1.0, recent=0.5, forced=0.0)
    assert {6, 7} <= kept(policy, watched(steps(4, 2), scores), 4)


def test_the_sink_stays_and_takes_part_in_nothing():
    tokens = [Token(SINK, None), *steps(8)]
    policy = LiveVLM(target=1.0, recent=0.0, forced=0.0)
    found = kept(policy, watched(tokens, [20.0, 1, 2, 3, 4, 5, 6, 7, 8]), 3)
    assert found == {0, 4, 8}, "two of them, one of each half"


def test_buckets_are_of_time_and_not_of_slots():
    """What moved into a hole stands before what is older."""
    scores = torch.tensor([[[1.0, 2, 3, 4, 9, 9.1, 9.2, 9.3]]])
    shown = looking(Shown(steps(8)), scores)
    shown.heads = torch.tensor([[[7, 0, 5, 2, 3, 4, 1, 6]]])
    policy = LiveVLM(target=1.0, recent=0.0, forced=0.0)
    assert kept(policy, shown, 2) == {3, 7}


def test_each_head_deals_by_its_own_scores_and_its_own_tokens():
    scores = torch.tensor([[[1.0, 2, 3, 4], [4.0, 3, 2, 1]]])
    shown = looking(Shown(steps(4)), scores)
    shown.heads = torch.tensor([[[0, 1, 2, 3], [0, 2, 3, -1]]])
    policy = LiveVLM(target=1.0, recent=0.0, forced=0.0)
    assert kept(policy, shown, 2, head=0) == {1, 3}
    assert kept(policy, shown, 2, head=1) == {0, 3}, "of 0, 2 and of 3: it does not hold 1"


@given(data=st.data(), count=st.integers(2, 24))
@settings(max_examples=60)
def test_arithmetic_is_that_of_a_slow_reference(data, count):
    """Unequal scores, any slots, some of them empty; counted in plain Python."""
    order = data.draw(st.permutations(range(count)))
    scores = [0.25 * place for place in data.draw(st.permutations(range(count)))]
    held = order + [-1] * data.draw(st.integers(0, 3))
    limit = data.draw(st.integers(1, count - 1))
    forced = data.draw(st.sampled_from([0.0, 0.2, 0.5, 1.0]))
    bucket = data.draw(st.integers(1, 3))
    shown = watched(steps(count), scores)
    shown.heads = torch.tensor([[held]])
    policy = LiveVLM(target=1.0, recent=0.0, forced=forced, bucket=bucket)
    assert kept(policy, shown, limit) == slow(scores, limit, round(forced * limit), bucket)


def slow(scores: list[float], room: int, forced: int, size: int) -> set[int]:
    """Tokens in order of time: the best `forced`, then the best `size` of each bucket, the best."""
    by_score = sorted(range(len(scores)), key=lambda token: -scores[token])
    stay = set(by_score[:forced])
    rest = [token for token in range(len(scores)) if token not in stay]
    room -= len(stay)
    buckets = max(1, room // size)
    dealt: list[list[int]] = [[] for _ in range(buckets)]
    for place, token in enumerate(rest):
        dealt[place * buckets // len(rest)].append(token)
    first = [t for one in dealt for t in sorted(one, key=lambda t: -scores[t])[:size]]
    others = [t for t in by_score if t not in stay and t not in first]
    ranked = sorted(first, key=lambda t: -scores[t]) + others
    return stay | set(ranked[:room])


@pytest.mark.parametrize("wrong", [{"target": 0.0}, {"recent": 0.6, "forced": 0.5},
                                   {"bucket": 0}, {"watched": 0}, {"forced": -0.1}])  # fmt: skip
def test_shares_that_make_no_sense_are_refused(wrong):
    with pytest.raises(ValueError, match=r"target lies in|at most 1|not negative"):
        LiveVLM(**wrong)


def test_without_observed_queries_it_says_what_it_lacks():
    with pytest.raises(ValueError, match="observed"):
        kept(LiveVLM(), Shown(steps(9)), 4)
