"""SToP's term against its formula, and around its hosts."""

from __future__ import annotations

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
    without_sinks,
)
from pruning.visionzip import VisionZip
from tests.pruning.running import run
from tests.pruning.scenes import M, looks, stream, tokens

WRAPPED = [VisionZipSToP, FastVIDSToP, FlashVIDSToP, HoliTomSToP]
HOSTS = pytest.mark.parametrize("wrapped", WRAPPED, ids=lambda w: w.__name__)


def attention(steps: int, m: int = M, seed: int = 0) -> torch.Tensor:
    """Attention that differs from step to step; each step sums to 1."""
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(steps, m, generator=generator).log_softmax(dim=1).exp()


@pytest.mark.parametrize("seed", range(4))
def test_the_penalty_is_the_formula(seed):
    shown = attention(30, seed=seed)
    seen, _ = without_sinks(shown, Sinks(), 0.03)
    for step in range(30):
        weights = 0.5 ** (np.arange(step, -1, -1) / 64)
        drawn = (shown[: step + 1].double().numpy() * weights[:, None]).sum(axis=0) ** 1.1
        score = (drawn - drawn.min()) / (drawn.max() - drawn.min())
        expected = shown[step].numpy() - (0.03 * 196 / M * score if step >= 8 else 0)
        assert seen[step].numpy() == pytest.approx(expected, abs=1e-5)


def test_a_sink_of_worked_attention():
    assert sink(torch.tensor([0.0, 1.0, 2.0])).tolist() == pytest.approx([0, 2**-1.1, 1])
    assert sink(torch.ones(3)).tolist() == [0, 0, 0]
    assert sink(torch.ones(1)).tolist() == [0]


def test_the_term_keeps_its_size_against_the_mean_attention():
    """Every token of 49 split into four of a quarter of its attention is punished a quarter."""
    coarse = attention(12, 49)
    fine = coarse.repeat_interleave(4, dim=1) / 4
    one, _ = without_sinks(coarse, Sinks(), 0.03)
    other, _ = without_sinks(fine, Sinks(), 0.03)
    assert torch.allclose(one.repeat_interleave(4, dim=1) / 4, other, atol=1e-6)


@HOSTS
def test_without_strength_it_is_the_host(wrapped):
    features, looked = stream(1, 24), attention(24)
    policy = wrapped(mu=0.0)
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
    _, state = without_sinks(early, Sinks(), 0.03)
    _, afterwards = without_sinks(late, state, 0.03)
    _, alone = without_sinks(late, Sinks(), 0.03)
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
