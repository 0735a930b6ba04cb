"""Scenes encoded once are answered as the live pipeline answers them."""

from __future__ import annotations

import pytest
import torch

from evaluation.pruning.desk import Desk
from evaluation.pruning.encoding import encode
from evaluation.pruning.selecting import choose
from evaluation.pruning.watching import answers, prune
from evaluation.responders import PipelineResponder, Put
from models.loading import load_model
from pruning.none import Dense
from pruning.random import Random
from pruning.selectors.even import Even
from pruning.selectors.fastv import FastV
from pruning.uniform import Uniform
from pruning.vcast import VCast
from pruning.visionzip import VisionZip
from stream.compose import open_house
from stream.settings import Settings
from stream.sources import MaxPace
from tests.evaluation.pruning.scenes import STEPS, folder, posed, scene

CUT = 0.35


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    return folder(tmp_path_factory.mktemp("model"))


@pytest.fixture(scope="module")
def model(checkpoint):
    return load_model(str(checkpoint))


@pytest.fixture(scope="module")
def encoded(model):
    return encode(model, scene(), posed(), max_steps=1, cut_threshold=CUT)


@pytest.fixture(scope="module")
def desk(model):
    return Desk(model, STEPS, memories=3, answers=6)


async def live(checkpoint, policy, budget):
    chosen = Settings.model_validate(
        {
            "model": {"name": str(checkpoint)},
            "memory": {"capacity": 1024},
            "sampling": {"fps": scene().fps},
            "segment": {"max_steps": 1, "cut_threshold": CUT},
            "answer": {"stale_after_s": 1e9},
            "engine": {"max_cameras": 1},
        }
    )
    pruning = chosen.pruning.model_copy(update={"policy": policy, "budget": budget})
    chosen = chosen.model_copy(update={"pruning": pruning})
    async with open_house(chosen, pace=MaxPace()) as house:
        puts = [Put(one.step, one.question.text) for one in posed()]
        return [reply.text for reply in await PipelineResponder(house).answers(scene(), puts)]


@pytest.mark.parametrize(
    "policy", [VCast(lookahead=1), VisionZip(), Random()], ids=lambda policy: policy.label
)
async def test_answers_are_those_of_the_live_pipeline(checkpoint, desk, encoded, policy):
    said = answers(desk, encoded, [prune(encoded, policy, budget) for budget in (5, 2)])
    assert said[0] == await live(checkpoint, policy, 5)
    assert said[0] != said[1], "a model that does not mind the budget would show nothing"


def test_several_prunings_at_once_are_answered_as_each_alone(desk, encoded):
    pruned = [prune(encoded, Uniform(), budget) for budget in (8, 3, 1)]
    together = answers(desk, encoded, pruned)
    assert together == [answers(desk, encoded, [one])[0] for one in pruned]


def test_a_desk_gives_everything_back(desk, encoded):
    before = desk.pool.free
    answers(desk, encoded, [prune(encoded, Uniform(), 4)])
    choose(desk, encoded, FastV(), (0.5,))
    assert desk.pool.free == before


def test_prunings_are_the_same_only_where_the_model_is_given_the_same(encoded):
    dense = prune(encoded, Dense(), 1)
    assert dense.same(prune(encoded, Dense(), 9))
    assert dense.same(prune(encoded, Uniform(), 16))
    assert not dense.same(prune(encoded, Uniform(), 15))
    assert not prune(encoded, Uniform(), 4).same(prune(encoded, Random(), 4))


def test_a_selector_that_reads_the_whole_bank_answers_as_dense_does(desk, encoded):
    whole, part = choose(desk, encoded, Even(), (1.0, 0.25))
    assert list(whole.answers) == answers(desk, encoded, [prune(encoded, Dense(), 1)])[0]
    assert (whole.read, part.read) == (whole.offered, whole.offered / 4)
    assert whole.answers != part.answers


def test_a_selector_that_listens_reads_something_else_for_another_question(desk, encoded):
    (heard,) = choose(desk, encoded, FastV(), (0.25,))
    (even,) = choose(desk, encoded, Even(), (0.25,))
    assert heard.read == even.read
    assert heard.answers != even.answers
