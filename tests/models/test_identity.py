"""One model has one fingerprint, and another number anywhere makes another model."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from models.identity import fingerprint, sums
from models.loading import load_model
from models.qwen3_vl import Qwen3VL
from tests.tiny import ours, save

torch.set_num_threads(1)
BLOCK = 32 * 1024  # bytes of one sum


@contextmanager
def nudged(model: Qwen3VL, name: str, place: int) -> Iterator[None]:
    """One weight is the next larger number for a while."""
    flat = dict(model.weights())[name].flatten()
    before = flat[place].clone()
    flat[place] = torch.nextafter(before, torch.tensor(torch.inf))
    try:
        yield
    finally:
        flat[place] = before


@pytest.mark.parametrize("part", ["visual.blocks.1", "language_model.layers.3", "lm_head"])
def test_one_weight_changed_by_the_least_anywhere_is_noticed(part):
    model = ours()
    before = fingerprint(model)
    names = [name for name, _ in model.weights() if part in name]
    assert names
    for name in names:
        with nudged(model, name, -1):
            assert fingerprint(model) != before, name
    assert fingerprint(model) == before


@pytest.mark.skipif(
    importlib.util.find_spec("torchao") is None, reason="needs torchao, the extra `quantize`"
)
def test_packed_weights_are_told_from_whole_ones_and_from_others(tmp_path):
    folder = str(save(tmp_path))
    whole = load_model(folder, device="cpu", quantize="none")
    packed = load_model(folder, device="cpu", quantize="int8")
    assert isinstance(packed, Qwen3VL)
    before = fingerprint(packed)
    assert before == fingerprint(load_model(folder, device="cpu", quantize="int8"))
    assert before != fingerprint(whole)
    name = next(x for x, weight in packed.weights() if hasattr(weight, "__tensor_flatten__"))
    for part in ("qdata", "scale"):
        numbers = getattr(dict(packed.weights())[name], part).flatten()
        numbers[-1] += 1
        assert fingerprint(packed) != before, part
        numbers[-1] -= 1


def test_no_weight_is_left_out():
    model = ours()
    counted = sum(weight.numel() for _, weight in model.weights())
    assert counted == sum(p.numel() for p in model._model.parameters())


@given(
    size=st.integers(0, 3 * BLOCK // 2),
    dtype=st.sampled_from([torch.float32, torch.bfloat16, torch.float64, torch.int8]),
    seed=st.integers(0, 10**6),
)
def test_every_place_counts_and_only_what_is_there(size, dtype, seed):
    draw = torch.Generator().manual_seed(seed)
    weight = torch.randint(-100, 100, (size,), generator=draw).to(dtype)
    found = sums(weight)
    assert len(found) == size * dtype.itemsize // BLOCK + 1
    assert torch.equal(found, sums(weight.clone()))
    if size:
        place = int(torch.randint(0, size, (1,), generator=draw))
        other = weight.clone()
        other[place] += 1
        changed = (sums(other) != found).nonzero().flatten().tolist()
        assert changed == [place * dtype.itemsize // BLOCK]


def test_where_a_weight_lies_and_how_does_not_matter():
    weight = torch.randn(2049, 3)
    assert torch.equal(sums(weight.T.contiguous().T), sums(weight))
    for skipped in range(1, 9):
        whole = torch.cat([torch.zeros(skipped), weight.flatten()])
        assert torch.equal(sums(whole[skipped:]), sums(weight))
    assert torch.equal(sums(torch.tensor(2.5)), sums(torch.tensor([2.5])))
