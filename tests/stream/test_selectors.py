"""From `answer.selector` to an engine whose answers choose what they read."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.errors import ConfigError, ModelLoadFailed
from pruning.selectors.cacovid import CaCoVID
from pruning.selectors.cacovid_policy import PolicyNetwork
from pruning.selectors.closest import Closest
from pruning.selectors.emcompress import EMCompress
from pruning.selectors.qtsplus import QTSplus
from pruning.selectors.qtsplus_network import QTSplusNetwork
from pruning.selectors.registry import SELECTORS
from pruning.selectors.weights import Shape
from stream.compose import engine_for, selecting, watching
from stream.configuration import as_yaml, load_settings, masked
from stream.selectors import CHOICES, UNTRAINED
from tests.engine.listeners import open_camera, settle
from tests.tiny import ours

WIDTH = ours().prefix().embeds.shape[1]


def configured(*sources: str):
    return load_settings([*sources, "answer.selector_budget=24", "answer.bank_steps=6"])


def test_without_a_selector_answers_read_the_memory_and_no_page_is_set_aside_for_choosing():
    plain = load_settings()
    assert selecting(ours(), plain) is watching(plain).selecting is None
    without = engine_for(ours(), configured())
    chooses = engine_for(ours(), configured("answer.selector.method=closest"))
    assert without.pool.pages == engine_for(ours(), plain).pool.pages
    tokens = 24 + 6 * ours().marker_tokens
    settings = configured()
    answers, page = settings.engine.max_answers, settings.memory.page_size
    most = answers * (tokens // page + 1)
    assert most - answers <= chooses.pool.pages - without.pool.pages <= most


def test_every_selector_of_the_registry_can_be_named():
    assert {one.method for one in CHOICES} == {one.method for one in SELECTORS}


def test_a_selector_is_its_own_configuration():
    settings = configured("answer.selector={method: emcompress, most: 4}")
    chosen = selecting(ours(), settings)
    assert chosen is not None
    assert chosen.selector == EMCompress(most=4)
    assert (chosen.budget, chosen.bank_steps) == (24, 6)
    assert watching(settings, chosen).selecting is chosen


def test_the_engine_has_room_for_what_the_settings_let_answers_choose():
    settings = configured("answer.selector.method=closest")
    with engine_for(ours(), settings) as engine:
        handle = open_camera(engine, selecting=selecting(ours(), settings))
        assert handle.selecting is not None
        assert handle.selecting.selector == Closest()
        settle(engine, [handle])


@pytest.mark.parametrize("kind", [PolicyNetwork, QTSplusNetwork])
def test_a_trained_selector_brings_its_weights_and_they_must_be_as_wide_as_the_models(
    kind, tmp_path: Path
):
    method = {PolicyNetwork: "cacovid", QTSplusNetwork: "qtsplus"}[kind]
    file = tmp_path / "weights.safetensors"
    settings = configured(f"answer.selector={{method: {method}, weights: {file}}}")
    with pytest.raises(ModelLoadFailed, match="cannot be read"):
        selecting(ours(), settings)
    saved = kind(Shape.small(WIDTH), seed=3)
    saved.save(file)
    chosen = selecting(ours(), settings)
    assert chosen is not None
    assert isinstance(chosen.selector, (CaCoVID, QTSplus))
    network = chosen.selector.policy if method == "cacovid" else chosen.selector.network
    for name, tensor in network.state_dict().items():
        assert tensor.equal(saved.state_dict()[name])
    assert not any(parameter.requires_grad for parameter in network.parameters())
    kind(Shape.small(2 * WIDTH)).save(file)
    with pytest.raises(ConfigError, match=rf"{2 * WIDTH} wide, those of the model are {WIDTH}"):
        selecting(ours(), settings)


def test_a_selector_that_has_learned_nothing_must_be_asked_for_in_so_many_words(tmp_path: Path):
    source = f"answer.selector={{method: qtsplus, weights: {UNTRAINED}}}"
    chosen = selecting(ours(), configured(source))
    assert chosen is not None
    assert isinstance(chosen.selector, QTSplus)
    shown = tmp_path / "shown.yaml"
    shown.write_text(as_yaml(masked(load_settings([source]))))
    assert load_settings([str(shown)]) == load_settings([source])
    assert UNTRAINED in shown.read_text()
