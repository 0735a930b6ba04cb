"""Weights in fewer bits: the same model, a little less exact, or an error that says what to do."""

from __future__ import annotations

import importlib.util
import sys

import pytest
import torch

from core.errors import ModelLoadFailed
from models.loading import load_model
from models.quantizing import NONE, WAYS, stored_bytes
from models.qwen3_vl import Qwen3VL
from models.shapes import Drawn, draw, load_shape
from tests.models.harness import Stream
from tests.tiny import save, segment

# An extra that few need: transformers imports it wherever it is installed, which takes time.
with_torchao = pytest.mark.skipif(
    importlib.util.find_spec("torchao") is None, reason="needs torchao, the extra `quantize`"
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return str(save(tmp_path_factory.mktemp("tiny")))


def loaded(folder: str, quantize: str) -> Qwen3VL:
    model = load_model(folder, device="cpu", quantize=quantize)
    assert isinstance(model, Qwen3VL)
    return model


def drawn(quantize: str) -> Drawn:
    shape, cpu = load_shape("tiny"), torch.device("cpu")
    return draw(shape, cpu, torch.float32, pixels=96 * 96, quantize=quantize)


def first_logits(model: Qwen3VL) -> torch.Tensor:
    stream = Stream(model)
    stream.watch([segment(0), segment(1)])
    return stream.ask("what do you see?", tokens=1)[1][0]


@with_torchao
@pytest.mark.parametrize(("way", "bound"), [("int8", 0.05), ("fp8", 0.25)])
def test_a_model_of_fewer_bits_answers_nearly_as_the_whole_one(folder, way, bound) -> None:
    whole, packed = loaded(folder, NONE), loaded(folder, way)
    wanted, got = first_logits(whole), first_logits(packed)
    assert not torch.equal(wanted, got), "nothing was packed"
    assert (wanted - got).norm() / wanted.norm() < bound
    assert packed.info.parameters == whole.info.parameters


@with_torchao
def test_the_language_models_matrices_are_packed_and_nothing_else(folder) -> None:
    packed = loaded(folder, "int8")._model
    plain = loaded(folder, NONE)._model
    changed = {
        name
        for (name, new), old in zip(packed.named_parameters(), plain.parameters(), strict=True)
        if type(new) is not type(old)
    }
    linear = {
        f"model.language_model.layers.{n}.{part}.weight"
        for n in range(4)
        for part in (
            *(f"self_attn.{p}_proj" for p in "qkvo"),
            *(f"mlp.{p}_proj" for p in ("gate", "up", "down")),
        )
    }
    assert changed == linear | {"lm_head.weight"}


def test_what_is_missing_is_said_with_the_remedy(folder, monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "torchao.quantization", None)  # as if it were not installed
    with pytest.raises(ModelLoadFailed, match=r"needs torchao: pip install 'lookout-live\[quant"):
        loaded(folder, "int8")


@with_torchao
def test_a_way_that_does_not_work_here_says_why(folder) -> None:
    if importlib.util.find_spec("mslk") is not None:
        pytest.skip("what int4 needs is installed here")
    with pytest.raises(ModelLoadFailed, match="int4 cannot be done here on cpu by torchao"):
        loaded(folder, "int4")


@with_torchao
def test_a_model_of_which_nothing_can_be_packed_is_refused_and_not_run_as_it_is() -> None:
    with pytest.raises(ModelLoadFailed, match="int4: it packs none of the matrices"):
        drawn("int4")  # its matrices are narrower than a group of numbers


@with_torchao
def test_bytes_are_counted_as_they_are_held() -> None:
    whole, packed = drawn(NONE).network, drawn("int8").network
    assert stored_bytes(whole) == sum(weight.nbytes for weight in whole.parameters())
    matrices = 2 * (2 * 64 * 64 + 2 * 64 * 32 + 3 * 64 * 96) + 2048 * 64
    saved = stored_bytes(whole) - stored_bytes(packed)
    assert 2.9 * matrices < saved < 3 * matrices  # one byte in place of four, and a few scales


def test_a_way_that_does_not_exist_is_refused(folder) -> None:
    with pytest.raises(ModelLoadFailed, match=r"int3 is none of none, int8, int4, fp8"):
        loaded(folder, "int3")
    assert list(WAYS) == ["int8", "int4", "fp8"]
