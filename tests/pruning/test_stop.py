"""SToP's term against its formula, and around its hosts."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from pruning.fastvid import FastVID
from pruning.flashvid import FlashVID
from pruning.holitom import HoliTom
from pruning.online import OnlinePruner
from pruning.stop import (
    FastVIDSToP,
    FlashVIDSToP,
    HoliTomSToP,
    Sinks,
    VisionZipSToP,
    sink,
    sinks,
    without_sinks,
)
from pruning.visionzip import VisionZip
from tests.pruning.running import run
from tests.pruning.scenes import M, looks, stream, tokens

POWERLESS = [
    VisionZipSToP(mu=0.0),
    FastVIDSToP(mu=0.0),
    FlashVIDSToP(mu=0.0),
    HoliTomSToP(mu=0.0, temporal=0.0),
]


def attention(steps: int, m: int = M, seed: int = 0) -> torch.Tensor:
    """Attention that differs from step to step; each step sums to 1."""
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(steps, m, generator=generator).log_softmax(dim=1).exp()


def score(shown: torch.Tensor, step: int) -> np.ndarray:
    """The published sink score after a step, its sum forgetting; 0 during the warm-up."""
    if step < 8:
        return np.zeros(shown.shape[1])
    weights = 0.5 ** (np.arange(step, -1, -1) / 64)
    drawn = (shown[: step + 1].double().numpy() * weights[:, None]).sum(axis=0) ** 1.1
    return (drawn - drawn.min()) / (drawn.max() - drawn.min())


@pytest.mark.parametrize("seed", range(4))
def test_the_penalty_is_the_formula(seed):
    shown = attention(30, seed=seed)
    seen = without_sinks(shown, sinks(shown, Sinks())[0], 0.03)
    for step in range(30):
        expected = shown[step].numpy() - 0.03 * 196 / M * score(shown, step)
        assert seen[step].numpy() == pytest.approx(expected, abs=1e-5)


def test_a_sink_of_worked_attention():
    assert sink(torch.tensor([0.0, 1.0, 2.0])).tolist() == pytest.approx([0, 2**-1.1, 1])
    assert sink(torch.ones(3)).tolist() == [0, 0, 0]
    assert sink(torch.ones(1)).tolist() == [0]


def test_the_term_keeps_its_size_against_the_mean_attention():
    """Every token of 49 split into four of a quarter of its attention is punished a quarter."""
    coarse = attention(12, 49)
    fine = coarse.repeat_interleave(4, dim=1) / 4
    one, other = (without_sinks(a, sinks(a, Sinks())[0], 0.03) for a in (coarse, fine))
    assert torch.allclose(one.repeat_interleave(4, dim=1) / 4, other, atol=1e-6)


@pytest.mark.parametrize("policy", POWERLESS, ids=lambda p: p.label)
def test_without_strength_it_is_the_host(policy):
    features, looked = stream(1, 24), attention(24)
    ours = run(policy, features, 6, [3] * 8, looked)
    hosts = run(policy.host, features, 6, [3] * 8, looked)
    assert torch.equal(ours.index, hosts.index)
    assert torch.equal(ours.features, hosts.features)


@pytest.mark.parametrize(
    ("wrapped", "host"),
    [
        (VisionZipSToP, VisionZip(dominant=1.0)),
        (FastVIDSToP, FastVID(context=0.0)),
        (FlashVIDSToP, FlashVID(alpha=1.0)),
        (HoliTomSToP, HoliTom()),
    ],
)
def test_a_place_that_always_draws_attention_loses_it_after_the_warm_up(wrapped, host):
    """In noise nothing stands: all that these hosts keep is kept by attention."""
    features = 1 + torch.randn(24, M, 64, generator=torch.Generator().manual_seed(2))
    looked = attention(24) * 0.8
    looked[:, 7] += 0.2
    for mu, expected in [(0.0, 24), (0.5, 8)]:
        kept = run(wrapped(host, mu), features, 4, [1] * 24, looked)
        steps = (kept.index[kept.index % M == 7] // M).tolist()
        assert steps == list(range(expected)), mu


def test_attention_that_comes_once_is_no_sink():
    features, looked = stream(3, 20), attention(20) * 0.5
    looked[:, 7] += 0.5
    looked[15] = attention(20)[15] * 0.5
    looked[15, 3] += 0.5
    kept = run(VisionZipSToP(mu=0.1), features, 3, [1] * 20, looked)
    assert 15 * M + 3 in kept.index.tolist()


def test_after_64_steps_half_of_what_was_drawn_is_forgotten():
    early, late = attention(20, seed=1), attention(64, seed=2)
    _, state = sinks(early, Sinks())
    _, afterwards = sinks(late, state)
    _, alone = sinks(late, Sinks())
    assert state.drawn is not None and afterwards.drawn is not None and alone.drawn is not None
    assert torch.allclose(afterwards.drawn - alone.drawn, state.drawn / 2, rtol=1e-4)


def test_the_host_keeps_its_own_memory_and_a_new_grid_starts_both_afresh():
    pruner = OnlinePruner(HoliTomSToP(), 10)
    still = stream(0, 1).expand(2, -1, -1).contiguous()
    first = pruner.push(tokens(still, attention=looks(2)))
    second = pruner.push(tokens(still, attention=looks(2)))
    assert len(first[0]) > len(second[0]) == 2, "what stands is not given again"
    state = HoliTomSToP().keep(tokens(still), 20, HoliTomSToP().start()).state
    plain = HoliTom().keep(tokens(still), 20, HoliTom().start()).state
    assert torch.equal(state.host.content, plain.content)
    assert HoliTomSToP().start() is not state and HoliTomSToP().start().drawn is None


LONG = 12  # steps, 8 of them warm-up


def turning(apart: torch.Tensor) -> torch.Tensor:
    """Tokens whose cosine with the step before is cos(apart) [m], at every step; [LONG, m, 2]."""
    angle = torch.arange(LONG)[:, None] * apart
    return torch.stack([angle.cos(), angle.sin()], dim=-1)


def met(policy: HoliTomSToP, apart: torch.Tensor, looked: torch.Tensor) -> list[list[int]]:
    """Places given at each step when steps come in pairs, each pair with nothing before it."""
    m, state, out = len(apart), Sinks(), []
    features = turning(apart)
    for start in range(0, LONG, 2):
        part = slice(start, start + 2)
        shown = tokens(features[part], 1, m, looked[part])
        fresh = replace(state, host=policy.host.start())
        rows, state, _ = policy.keep(shown, 2 * m - 1, fresh)
        given = rows.tolist()
        out += [[row for row in given if row < m], [row - m for row in given if row >= m]]
    return out


def test_a_place_stands_if_its_cosine_and_its_sink_pass_tau_together():
    """Every place just below and just above its own threshold, at a step after the warm-up.

    With a budget that covers what merging leaves, the second step of a pair holds exactly the
    places that do not stand.
    """
    shown = attention(LONG, 10, seed=3)
    looked = shown.repeat_interleave(2, dim=1) / 2  # two places of each sink score
    # The scores drift, so the cosines are made for one step, and only its pair is looked at.
    for step in (9, 11):
        cosine = torch.tensor(0.8 - 0.07 * score(looked, step))
        margin = torch.tensor([0.002, -0.002]).repeat(10)
        apart = (cosine + margin).acos().float()
        given = met(HoliTomSToP(), apart, looked)
        assert given[step] == list(range(1, 20, 2)), "those just below"
        assert given[step - 1] == list(range(20)), "what stands is given once"
        bare = met(HoliTomSToP(temporal=0.0), apart, looked)
        alike = torch.cos(apart) > 0.8
        assert bare[step] == (~alike).nonzero()[:, 0].tolist()
        assert bare[step] != given[step], "the term decides some of them"


def test_nothing_stands_sooner_during_the_warm_up():
    """The cosine .77 stands with a sink above .43 only: the eighth step knows none yet."""
    looked = torch.tensor([[0.7, 0.3]]).repeat(LONG, 1)  # sink 1 and 0
    given = met(HoliTomSToP(), torch.full((2,), 0.77).acos(), looked)
    assert [given[step] for step in range(1, LONG, 2)] == [[0, 1]] * 4 + [[1]] * 2


def test_a_sink_that_was_given_before_is_not_given_again_where_another_place_is():
    """At last both places show cosine .77 to what was emitted; one token may be kept."""
    looked = torch.tensor([[0.7, 0.3]]).repeat(LONG, 1)
    features = torch.tensor([1.0, 0.0]).expand(LONG, 2, 2).clone()
    features[-1] = torch.tensor([0.77, (1 - 0.77**2) ** 0.5])
    for temporal, expected in [(0.07, 1), (0.0, 0)]:
        pruner = OnlinePruner(HoliTomSToP(mu=0.0, temporal=temporal), 1)
        for step in range(LONG):
            last = pruner.push(tokens(features[step : step + 1], 1, 2, looked[step : step + 1]))
        assert last[0].index.tolist() == [expected]


def test_windows_are_cut_by_the_same_test_as_places_stand():
    """A sink at cosine .77 for three steps makes one window of them; the bare cosine makes none."""
    looked = torch.full((LONG, 4), 0.1)
    looked[:, 2] = 0.7
    policy, plain = HoliTomSToP(), HoliTomSToP(temporal=0.0)
    features = torch.randn(LONG, 4, 64, generator=torch.Generator().manual_seed(4))
    angle = torch.arange(LONG) * torch.tensor(0.77).acos()
    features[:, 2] = 0.0
    features[:, 2, 0], features[:, 2, 1] = angle.cos(), angle.sin()
    state = policy.keep(tokens(features[:9], 1, 4, looked[:9]), 36, policy.start()).state
    state = replace(state, host=policy.host.start())
    shown = tokens(features[9:], 1, 4, looked[9:])
    rows, _, merge = policy.keep(shown, 11, state)
    assert merge is not None and set(merge.source.tolist()) == {2, 6, 10}
    assert rows.tolist() == [0, 1, 2, 3, 4, 5, 7, 8, 9, 11]
    assert torch.allclose(shown.select(rows, merge).features[2], features[9:, 2].mean(dim=0))
    assert plain.keep(shown, 11, state).merge is None
