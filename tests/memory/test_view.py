"""What a view accepts, and what attention makes of heads that hold different numbers of tokens."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from memory.pool import KVShape
from memory.readers.torch_reader import TorchReader
from memory.view import View
from tests.memory.plans import Packed

CPU = torch.device("cpu")
SHAPE = KVShape(layers=2, kv_heads=2, head_dim=8)


def of(lengths, length=20):
    return View.of([3, 1], length, 16, CPU, lengths)


def test_a_view_without_lengths_uses_all_slots_of_its_table_in_order():
    view = of(None)
    assert view.slots.tolist() == [*range(48, 64), *range(16, 20)]
    assert view.lengths is None


def test_lengths_are_held_as_int32_per_layer_and_head():
    view = of(torch.tensor([[20, 0], [3, 7]]))
    assert view.lengths is not None
    assert view.lengths.dtype == torch.int32 and view.lengths.shape == (2, 2)


@pytest.mark.parametrize("numbers", [[[21, 0]], [[19, 0]], [[20, -1]]])
def test_lengths_whose_largest_is_not_the_length_or_that_are_negative_are_refused(numbers):
    with pytest.raises(ValueError, match="do not make a view of 20"):
        of(torch.tensor(numbers))


def test_lengths_of_the_wrong_shape_or_type_are_refused():
    with pytest.raises(ValueError, match="int32"):
        of(torch.tensor([20, 3]))
    with pytest.raises(ValueError, match="int32"):
        View(torch.zeros(1, dtype=torch.int32), 1, torch.zeros(1).long(), torch.ones(1, 1))
    with pytest.raises(ValueError, match="2 slots do not make a length 1"):
        View(torch.zeros(1, dtype=torch.int32), 1, torch.zeros(2).long())


@settings(max_examples=20)
@given(seed=st.integers(0, 10**6), fresh=st.integers(1, 4), before=st.integers(0, 3),
       heads=st.sampled_from([2, 4, 6]), data=st.data())  # fmt: skip
def test_each_head_reads_its_own_keys_only_whatever_the_other_heads_hold(
    seed, fresh, before, heads, data
):
    numbers = data.draw(st.lists(st.integers(0, 40), min_size=4, max_size=4))
    lengths = torch.tensor(numbers).view(2, 2)
    packed = Packed(
        [(max(numbers), before, fresh), (5, 0, 2), (None, 1, 1), (0, 0, 1)],
        SHAPE,
        heads=heads,
        lengths={0: lengths},
        seed=seed,
    )
    for layer in range(2):
        out = packed.attend(TorchReader(), layer)
        assert torch.allclose(out, packed.expected(layer), atol=1e-5)
        packed.permute(0, seed)
        assert torch.allclose(packed.attend(TorchReader(), layer), out, atol=1e-5)


def test_the_lengths_of_one_layer_say_nothing_of_another():
    lengths = torch.tensor([[20, 20], [0, 1]])
    packed = Packed([(20, 0, 1)], SHAPE, heads=2, lengths={0: lengths})
    whole = Packed([(20, 0, 1)], SHAPE, heads=2)
    reader = TorchReader()
    assert torch.equal(packed.attend(reader, 0), whole.attend(reader, 0))
    assert not torch.allclose(packed.attend(reader, 1), whole.attend(reader, 1), atol=1e-3)
