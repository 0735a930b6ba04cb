"""What every pruning method promises, tested for each of them in every setting."""

from __future__ import annotations

from dataclasses import fields, replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pruning.online import OnlinePruner
from pruning.policy import PruningPolicy, Spending
from pruning.registry import METHODS, policies
from pruning.state import restore, save
from pruning.vcast_offline import VCastOffline
from stream.settings import PruningSettings
from tests.pruning.controls import BLIND, CONTROLS
from tests.pruning.running import joined, run
from tests.pruning.scenes import H, M, W, bland, looks, stream, tokens

POLICIES = policies()


def only(condition):
    chosen = [policy for policy in POLICIES if condition(policy)]
    return pytest.mark.parametrize("policy", chosen, ids=lambda p: p.label)


every = only(lambda p: True)
stepwise = only(lambda p: p.stepwise)
sighted = only(lambda p: CONTROLS[p.method] is not BLIND)
blind = only(lambda p: CONTROLS[p.method] is BLIND and p.method != "none")
attentive = only(lambda p: p.needs_attention)
pictured = only(lambda p: p.needs_pixels)


def test_every_method_has_a_name_of_its_own_and_a_control():
    names = [method().method for method in METHODS]
    assert sorted(names) == sorted(CONTROLS)
    assert len(set(names)) == len(names)


@every
def test_settings_hold_it_with_all_its_parameters(policy):
    values = {f.name: getattr(policy, f.name) for f in fields(policy)}
    assert PruningSettings.model_validate({"policy": values}).policy == policy


@every
@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10**6), steps=st.integers(1, 6), budget=st.integers(1, 22),
       dtype=st.sampled_from([torch.float32, torch.bfloat16]))  # fmt: skip
def test_rows_increase_are_in_range_as_many_as_asked_and_some_of_every_step(
    policy, seed, steps, budget, dtype
):
    shown = tokens(stream(seed, steps).to(dtype))
    features, attention = shown.features.clone(), shown.attention.clone()
    rows, _, merge = policy.keep(shown, budget * steps, policy.start())
    pruned = shown.select(rows, merge)
    assert rows.dtype == torch.int64
    assert len(pruned) > 0 and int(pruned.index[-1]) < len(shown)
    assert set(pruned.step.tolist()) == set(range(steps))
    if policy.spending is not Spending.OWN and budget >= M:
        assert len(rows) == len(shown), "identity when the budget covers all"
        assert torch.equal(pruned.features, features)
    elif policy.spending is Spending.EXACT:
        assert len(rows) == budget * steps
    assert torch.equal(shown.features, features), "inputs must not change"
    assert torch.equal(shown.attention, attention)
    upcast = tokens(stream(seed, steps).to(dtype).float())
    again = policy.keep(upcast, budget * steps, policy.start())
    assert torch.equal(rows, again.rows), "scores are float32 whatever the features are"


@every
def test_the_same_input_gives_the_same_tokens(policy):
    first, second = (run(policy, stream(1, 12), 6, [3, 3, 3, 3]) for _ in range(2))
    assert torch.equal(first.index, second.index)
    assert torch.equal(first.features, second.features)


@stepwise
@pytest.mark.parametrize("lengths", [[1] * 24, [2] * 12, [4] * 6, [8] * 3, [5, 1, 7, 2, 9]])
def test_how_a_stream_is_cut_into_segments_changes_nothing(policy, lengths):
    features = stream(2, 24)
    whole = run(policy, features, 6, [24])
    cut = run(policy, features, 6, lengths)
    assert torch.equal(whole.index, cut.index)
    assert torch.equal(whole.features, cut.features)


def test_to_a_method_that_decides_segments_as_a_whole_the_cut_matters():
    """The control of the test above: it can fail."""
    features = stream(2, 24)
    whole, cut = (run(VCastOffline(), features, 6, lengths) for lengths in ([24], [8] * 3))
    assert not torch.equal(whole.index, cut.index)


@every
def test_what_comes_later_changes_nothing_decided(policy):
    one, other = stream(3, 16), stream(3, 16)
    other[10:] = stream(99, 6)
    looked = looks(16), torch.cat([looks(10), looks(6, seed=9)])
    limit = (10 - policy.delay) * M
    whole = [run(policy, f, 6, [2] * 8, a) for f, a in zip((one, other), looked, strict=True)]
    early = [kept.index < limit for kept in whole]
    assert torch.equal(*(kept.index[rows] for kept, rows in zip(whole, early, strict=True)))
    assert torch.equal(*(kept.features[rows] for kept, rows in zip(whole, early, strict=True)))
    if CONTROLS[policy.method] is not BLIND:
        assert not torch.equal(whole[0].index, whole[1].index), "but it must change something"


@every
@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 10**6), steps=st.integers(1, 8), budget=st.integers(1, 12))
def test_deepstack_rows_merge_exactly_as_features_do(policy, seed, steps, budget):
    shown = tokens(stream(seed, steps))
    rows, _, merge = policy.keep(shown, budget * steps, policy.start())
    matrix = torch.zeros(len(rows), len(shown))
    matrix[torch.arange(len(rows)), rows] = 1.0
    if merge is not None:
        matrix[merge.target] = 0.0
        matrix.index_put_((merge.target, merge.source), merge.weight, accumulate=True)
    pruned = shown.select(rows, merge)
    assert torch.equal(pruned.index, rows)
    assert torch.allclose(pruned.features, matrix @ shown.features, atol=1e-4)
    for before, after in zip(shown.deepstack, pruned.deepstack, strict=True):
        assert torch.allclose(after, matrix @ before, atol=1e-3)


@every
@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_features_that_are_not_finite_are_refused(policy, value):
    features = stream(5, 2)
    features[1, 3, 2] = value
    with pytest.raises(ValueError, match="NaN or infinity"):
        policy.keep(tokens(features), 8, policy.start())


@attentive
def test_attention_that_is_missing_or_not_finite_is_refused(policy):
    wrong = looks(2)
    wrong[0, 0] = float("nan")
    with pytest.raises(ValueError, match="NaN or infinity"):
        policy.keep(tokens(stream(5, 2), attention=wrong), 8, policy.start())
    bare = tokens(stream(5, 2))
    object.__setattr__(bare, "attention", None)
    with pytest.raises(ValueError, match="needs the attention"):
        policy.keep(bare, 8, policy.start())


@pictured
def test_pixels_that_are_missing_are_refused(policy):
    with pytest.raises(ValueError, match="needs the pixels"):
        policy.keep(replace(tokens(stream(5, 2)), pixels=None), 8, policy.start())


@only(lambda p: not p.needs_pixels)
def test_a_method_that_needs_no_pixels_does_not_look_at_them(policy):
    bare = replace(tokens(stream(5, 4)), pixels=None)
    kept = [policy.keep(t, 24, policy.start()).rows for t in (bare, tokens(stream(5, 4)))]
    assert torch.equal(*kept)


@only(lambda p: not p.needs_attention)
def test_a_method_that_needs_no_attention_does_not_look_at_it(policy):
    features = stream(5, 4)
    kept = [run(policy, features, 6, [4], looks(4, seed=seed)).index for seed in (0, 1)]
    assert torch.equal(*kept)


@every
def test_tokens_that_were_pruned_before_are_refused(policy):
    pruned = tokens(stream(5, 1)).select(torch.arange(7))
    with pytest.raises(ValueError, match="dense"):
        policy.keep(pruned, 5, policy.start())


@every
def test_a_budget_below_one_token_per_step_is_refused_unless_the_method_spends_as_it_likes(policy):
    shown = tokens(stream(5, 3))
    if policy.spending is Spending.OWN:
        assert len(policy.keep(shown, 1, policy.start()).rows) >= 3
    else:
        with pytest.raises(ValueError, match="empty"):
            policy.keep(shown, 2, policy.start())


@every
@pytest.mark.parametrize("shape", [(1, 1), (1, 20), (3, 1), (4, 6)])
@pytest.mark.parametrize("value", [0.0, 1.0])
def test_one_token_one_step_and_equal_tokens_are_no_special_case(policy, shape, value):
    steps, places = shape
    shown = tokens(torch.full((steps, places, 8), value), 1, places)
    state = policy.start()
    for _ in range(2):
        rows, state, merge = policy.keep(shown, max(steps, 4), state)
        pruned = shown.select(rows, merge)
        assert len(set(pruned.step.tolist())) == steps
        assert torch.allclose(pruned.features, torch.tensor(value)), "a mean of equals is the same"


@only(lambda p: p.spending is Spending.LONG_RUN)
@settings(max_examples=4, deadline=None)
@given(seed=st.integers(0, 10**6), budget=st.integers(3, 15))
def test_in_the_long_run_the_kept_ratio_is_within_one_percent_of_the_asked_one(
    policy, seed, budget
):
    pruner, features, kept = OnlinePruner(policy, budget), stream(seed, 1000), []
    for segment in features.split(10):
        kept += pruner.push(tokens(segment))
    kept += pruner.flush()
    assert sum(len(piece) for piece in kept) == pruner.kept
    assert pruner.ratio * M == pytest.approx(budget, rel=0.01)


def planted(policy: PruningPolicy, plant, place: int, step: int = 3) -> bool:
    """Whether the token planted in a bland stream is kept."""
    features, attention = bland(6), torch.full((6, M), 1 / M)
    plant(features, attention, step, place)
    return step * M + place in run(policy, features, 3, [2, 2, 2], attention).index.tolist()


@sighted
@pytest.mark.parametrize("step", [3, 4, 5])
@pytest.mark.parametrize("place", [0, 7, 19])
def test_a_planted_token_survives(policy, place, step):
    assert planted(policy, CONTROLS[policy.method], place, step)


@blind
def test_a_method_that_ignores_content_loses_plants(policy):
    """The control of the test above: it can fail."""
    for plant in {plant for plant in CONTROLS.values() if plant is not BLIND}:
        assert sum(planted(policy, plant, place) for place in range(M)) < M


@every
def test_a_change_of_grid_starts_afresh_and_loses_nothing(policy):
    pruner = OnlinePruner(policy, 5)
    out = pruner.push(tokens(stream(7, 2), H, W))
    out += pruner.push(tokens(stream(8, 2), W, H))
    out += pruner.flush()
    assert sum(piece.grid.t for piece in out) == 4
    assert pruner.encoded == 4 * M
    assert pruner.kept == sum(len(piece) for piece in out)


def held(state) -> int:
    """Bytes that a state keeps alive."""
    return sum(
        value.untyped_storage().nbytes() if isinstance(value, torch.Tensor) else 8
        for value in save(state).values()
    )


@every
def test_the_state_never_grows(policy):
    state, sizes = policy.start(), []
    for length, start in [(2, 0), (2, 2), (8, 4), (1, 12), (24, 13), (3, 37)]:
        shown = tokens(stream(8, 40)[start : start + length])
        state = policy.keep(shown, 6 * length, state).state
        sizes.append(held(state))
    assert sizes[1:] == [sizes[1]] * 5, "and no view keeps a segment alive"


@every
def test_a_saved_state_goes_on_as_if_nothing_had_happened(policy):
    features, whole, resumed = stream(9, 24), [], []
    state = other = policy.start()
    for start in range(0, 24, 3):
        shown = tokens(features[start : start + 3])
        rows, state, merge = policy.keep(shown, 15, state)
        whole.append(shown.select(rows, merge))
        saved = {
            name: value.clone() if isinstance(value, torch.Tensor) else value
            for name, value in save(other).items()
        }
        rows, other, merge = policy.keep(shown, 15, restore(policy.start(), saved))
        resumed.append(shown.select(rows, merge))
    assert torch.equal(joined(whole).index, joined(resumed).index)
    assert torch.equal(joined(whole).features, joined(resumed).features)


@every
def test_a_state_is_not_changed_by_deciding(policy):
    state = policy.keep(tokens(stream(9, 4)), 20, policy.start()).state
    before = {name: torch.as_tensor(v).clone() for name, v in save(state).items()}
    first, second = (policy.keep(tokens(stream(10, 4)), 20, state).rows for _ in range(2))
    assert torch.equal(first, second)
    assert all(torch.equal(before[name], torch.as_tensor(v)) for name, v in save(state).items())


@every
def test_a_pruner_that_is_taken_back_goes_on_as_if_it_had_seen_nothing_in_between(policy):
    features, plain, rewound = stream(9, 24), OnlinePruner(policy, 5), OnlinePruner(policy, 5)
    for start in range(0, 24, 3):
        shown = tokens(features[start : start + 3])
        mark = rewound.mark()
        rewound.push(tokens(stream(start + 77, 5)))
        rewound.rewind(mark)
        for one, other in zip(plain.push(shown), rewound.push(shown), strict=True):
            assert torch.equal(one.index, other.index)
            assert torch.equal(one.features, other.features)
    assert (plain.encoded, plain.kept) == (rewound.encoded, rewound.kept)
    for one, other in zip(plain.flush(), rewound.flush(), strict=True):
        assert torch.equal(one.features, other.features)
