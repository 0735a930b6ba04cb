"""What every question-time selector promises, tested for each of them in every setting."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from core.tokens import VisualTokens
from pruning.policy import Spending
from pruning.selectors.registry import SELECTORS, selectors
from pruning.selectors.selector import Question
from tests.pruning.scenes import D, M, bland, stream, tokens
from tests.pruning.selectors.controls import CONTROLS, DEAF

EVERYONE = selectors(D)


def only(condition):
    chosen = [selector for selector in EVERYONE if condition(selector)]
    return pytest.mark.parametrize("selector", chosen, ids=lambda s: s.method)


every = only(lambda s: True)


def bank(features: torch.Tensor, seed: int = 0, share: float = 0.4) -> VisualTokens:
    """What some ingest method kept of a stream: a random part, steps may be empty."""
    generator = torch.Generator().manual_seed(seed)
    chosen = torch.rand(features.shape[0] * M, generator=generator) < share
    chosen[3] = True
    return tokens(features).select(chosen.nonzero()[:, 0])


def question(seed: int, n: int, words: int = 3) -> Question:
    generator = torch.Generator().manual_seed(seed)
    features = torch.randn(words, D, generator=generator)
    return Question(features, torch.rand(n, generator=generator).softmax(dim=0))


def test_every_selector_has_a_name_of_its_own_and_a_control():
    names = [selector.variants(D)[0].method for selector in SELECTORS]
    assert sorted(names) == sorted(CONTROLS)
    assert len(set(names)) == len(names)


@every
@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10**6), steps=st.integers(1, 9), budget=st.integers(1, 80),
       dtype=st.sampled_from([torch.float32, torch.bfloat16]))  # fmt: skip
def test_rows_increase_are_in_range_and_as_many_as_asked(selector, seed, steps, budget, dtype):
    shown = bank(stream(seed, steps).to(dtype), seed)
    heard = question(seed, len(shown))
    before = shown.features.clone(), heard.features.clone()
    rows, merge = selector.select(shown, heard, budget)
    read = shown.select(rows, merge)
    if selector.spending is not Spending.OWN and budget >= len(shown):
        assert len(read) == len(shown), "identity when the budget covers all"
        assert torch.equal(read.features, shown.features)
    elif selector.spending is Spending.EXACT:
        assert len(read) == budget
    assert len(read) >= 1
    if selector.spending is not Spending.OWN:
        assert len(read) <= budget
    assert torch.equal(before[0], shown.features), "inputs must not change"
    assert torch.equal(before[1], heard.features)


@every
def test_the_same_question_reads_the_same_tokens(selector):
    shown = bank(stream(1, 8))
    first, second = (selector.select(shown, question(1, len(shown)), 12).rows for _ in range(2))
    assert torch.equal(first, second)


@every
@pytest.mark.parametrize("where", ["bank", "question"])
def test_what_is_not_finite_is_refused(selector, where):
    shown, heard = bank(stream(1, 4)), question(1, len(bank(stream(1, 4))))
    (shown if where == "bank" else heard).features[0, 0] = float("nan")
    with pytest.raises(ValueError, match="NaN or infinity"):
        selector.select(shown, heard, 5)


@every
def test_what_does_not_fit_is_refused(selector):
    shown = bank(stream(1, 4))
    heard = question(1, len(shown))
    with pytest.raises(ValueError, match="budget"):
        selector.select(shown, heard, 0)
    with pytest.raises(ValueError, match="width"):
        selector.select(shown, Question(torch.ones(2, D + 1), heard.attention), 5)
    with pytest.raises(ValueError, match="attention"):
        selector.select(shown, Question(heard.features, torch.ones(len(shown) + 1)), 5)
    if selector.needs_attention:
        with pytest.raises(ValueError, match="needs the attention"):
            selector.select(shown, Question(heard.features), 5)


@every
@pytest.mark.parametrize("value", [0.0, 1.0])
def test_one_token_and_equal_tokens_are_no_special_case(selector, value):
    for steps, share in [(1, 0.0), (4, 0.5), (4, 1.0)]:
        shown = bank(torch.full((steps, M, D), value), share=share)
        rows, merge = selector.select(shown, question(2, len(shown)), 3)
        assert torch.allclose(shown.select(rows, merge).features, torch.tensor(value), atol=1e-6)


def planted(selector, plant, row: int) -> bool:
    """Whether the token planted at a row of a bland bank is read."""
    shown = tokens(bland(6))
    heard = Question(question(3, 6 * M).features, torch.full((6 * M,), 1 / (6 * M)))
    plant(shown.features, heard.attention, heard.features, row)
    return row in selector.select(shown, heard, 6).rows.tolist()


@only(lambda s: CONTROLS[s.method] is not DEAF)
@pytest.mark.parametrize("row", [0, 47, 119])
def test_a_token_that_answers_the_question_is_read(selector, row):
    assert planted(selector, CONTROLS[selector.method], row)


@only(lambda s: CONTROLS[s.method] is DEAF)
def test_a_selector_that_does_not_listen_loses_it(selector):
    """The control of the test above: it can fail."""
    for plant in {plant for plant in CONTROLS.values() if plant is not DEAF}:
        assert sum(planted(selector, plant, row) for row in range(6 * M)) < 6 * M


@only(lambda s: CONTROLS[s.method] is not DEAF)
def test_another_question_reads_other_tokens(selector):
    shown = bank(stream(4, 12))
    first, second = (selector.select(shown, question(seed, len(shown)), 8).rows for seed in (5, 6))
    assert not torch.equal(first, second)
