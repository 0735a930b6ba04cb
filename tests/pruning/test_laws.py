"""What every pruning policy promises, tested for each of them."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from core.tokens import VisualTokens, concatenate
from pruning.none import Dense
from pruning.online import OnlinePruner
from pruning.policy import PruningPolicy
from tests.pruning.policies import CONTENT_AWARE, POLICIES, name, stream, tokens

every = pytest.mark.parametrize("policy", POLICIES, ids=name)


def run(
    policy: PruningPolicy, features: torch.Tensor, budget: int, lengths: list[int]
) -> VisualTokens:
    """The stream in segments of the given lengths; everything that was kept, in one piece."""
    pruner, pieces, start = OnlinePruner(policy, budget), [], 0
    for length in lengths:
        pieces += pruner.push(tokens(features[start : start + length], 4, 5))
        start += length
    pieces += pruner.flush()
    whole = pieces[0]
    for piece in pieces[1:]:
        whole = concatenate(whole, piece)
    return whole


@every
@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10**6), steps=st.integers(1, 6), budget=st.integers(1, 22),
       dtype=st.sampled_from([torch.float32, torch.bfloat16]))  # fmt: skip
def test_rows_increase_are_in_range_and_every_step_keeps_some(policy, seed, steps, budget, dtype):
    given_tokens = tokens(stream(seed, steps).to(dtype), 4, 5)
    before = given_tokens.features.clone()
    rows, _ = policy.keep(given_tokens, budget * steps, policy.start())
    assert rows.dtype == torch.int64
    assert bool((rows[1:] > rows[:-1]).all())
    assert int(rows[0]) >= 0 and int(rows[-1]) < len(given_tokens)
    assert set((rows // 20).tolist()) == set(range(steps))
    assert torch.equal(given_tokens.features, before), "inputs must not change"
    if budget >= 20:
        assert len(rows) == len(given_tokens), "identity when the budget covers all"
    elif not policy.adaptive:
        assert len(rows) == budget * steps


@every
def test_the_same_input_gives_the_same_rows(policy):
    features = stream(1, 12)
    first, second = (run(policy, features, 6, [3, 3, 3, 3]).index for _ in range(2))
    assert torch.equal(first, second)


@every
@pytest.mark.parametrize("lengths", [[1] * 24, [2] * 12, [4] * 6, [8] * 3, [5, 1, 7, 2, 9]])
def test_how_a_stream_is_cut_into_segments_changes_nothing(policy, lengths):
    features = stream(2, 24)
    whole = run(policy, features, 6, [24])
    cut = run(policy, features, 6, lengths)
    assert torch.equal(whole.index, cut.index)
    assert torch.equal(whole.features, cut.features)


@every
def test_what_comes_later_changes_nothing_decided(policy):
    one, other = stream(3, 16), stream(3, 16)
    other[10:] = stream(99, 6)
    decided = 10 - policy.delay
    limit = decided * 20
    kept = [run(policy, features, 6, [2] * 8).index for features in (one, other)]
    assert torch.equal(*(rows[rows < limit] for rows in kept))
    if not isinstance(policy, Dense) and policy in CONTENT_AWARE:
        assert not torch.equal(*kept), "but it must change something"


@every
def test_deepstack_rows_and_index_go_with_their_token(policy):
    kept = run(policy, stream(4, 9), 6, [4, 5])
    for level, offset in zip(kept.deepstack, (0.25, 0.5), strict=True):
        # rows are numbered within each segment, so compare modulo the segment's start
        numbers = level[:, 0] - offset
        starts = torch.where(kept.step >= 4, 80, 0)
        assert torch.equal(numbers, (kept.index - starts).float())


@every
@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_features_that_are_not_finite_are_refused(policy, value):
    features = stream(5, 2)
    features[1, 3, 2] = value
    with pytest.raises(ValueError, match="NaN or infinity"):
        policy.keep(tokens(features, 4, 5), 8, policy.start())


@every
def test_tokens_that_were_pruned_before_are_refused(policy):
    pruned = tokens(stream(5, 1), 4, 5).select(torch.arange(7))
    with pytest.raises(ValueError, match="dense"):
        policy.keep(pruned, 5, policy.start())


@every
def test_a_budget_below_one_token_per_step_is_refused_unless_it_is_not_applied(policy):
    given_tokens = tokens(stream(5, 3), 4, 5)
    if isinstance(policy, Dense):
        assert len(policy.keep(given_tokens, 1, policy.start()).rows) == 60
    else:
        with pytest.raises(ValueError, match="empty"):
            policy.keep(given_tokens, 2, policy.start())


@every
@pytest.mark.parametrize("shape", [(1, 1), (1, 20), (3, 1)])
def test_one_token_one_step_and_equal_tokens_are_no_special_case(policy, shape):
    steps, places = shape
    features = torch.ones(steps, places, 8)
    rows, _ = policy.keep(tokens(features, 1, places), max(steps, 4), policy.start())
    assert len(set((rows // places).tolist())) == steps


@every
@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 10**6), budget=st.integers(3, 15))
def test_in_the_long_run_the_budget_is_met(policy, seed, budget):
    if isinstance(policy, Dense):
        return
    kept = run(policy, stream(seed, 1000), budget, [10] * 100)
    assert abs(len(kept) / (1000 * budget) - 1) < 0.01


@pytest.mark.parametrize("policy", CONTENT_AWARE, ids=name)
@pytest.mark.parametrize("place", [0, 7, 19])
def test_a_planted_token_survives(policy, place):
    features = torch.ones(6, 20, 16) + 0.001 * stream(6, 6)
    features[4, place] = -5 * torch.ones(16)
    kept = run(policy, features, 3, [2, 2, 2])
    assert 4 * 20 + place in kept.index.tolist()


def test_a_policy_that_ignores_content_loses_the_planted_token():
    """The control of the test above: it can fail."""
    survived = 0
    for place in range(20):
        features = torch.ones(6, 20, 16)
        features[4, place] = -5 * torch.ones(16)
        policy = next(p for p in POLICIES if type(p).__name__ == "Uniform")
        survived += 4 * 20 + place in run(policy, features, 3, [6]).index.tolist()
    assert survived == 3


@every
def test_a_change_of_grid_starts_afresh_and_loses_nothing(policy):
    pruner = OnlinePruner(policy, 5)
    out = pruner.push(tokens(stream(7, 2), 4, 5))
    out += pruner.push(tokens(stream(8, 2), 5, 4))
    out += pruner.flush()
    assert sum(piece.grid.t for piece in out) == 4
    assert pruner.encoded == 80
    assert pruner.kept == sum(len(piece) for piece in out)
