"""Codes in bytes: bit for bit, in the layout that is promised."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from memory.codecs.bits import pack, pack_trits, packed_bytes, unpack, unpack_trits

WIDTHS = range(1, 9)


def codes(levels: int):
    """A row of codes."""
    return st.lists(st.integers(0, levels - 1), min_size=1, max_size=70)


@pytest.mark.parametrize("width", WIDTHS)
@settings(max_examples=40)
@given(data=st.data())
def test_codes_of_every_width_come_back(width, data) -> None:
    row = data.draw(codes(2**width))
    packed = pack(torch.tensor(row), width)
    assert packed.dtype == torch.uint8 and len(packed) == -(-len(row) * width // 8)
    assert unpack(packed, width, len(row)).tolist() == row


@pytest.mark.parametrize("width", WIDTHS)
@settings(max_examples=40)
@given(data=st.data())
def test_the_first_code_lies_lowest_and_no_bit_is_lost_between_codes(width, data) -> None:
    row = data.draw(codes(2**width))
    number = sum(code << (width * i) for i, code in enumerate(row))
    expected = number.to_bytes(packed_bytes(len(row), width), "little")
    assert bytes(pack(torch.tensor(row), width).tolist()) == expected


@pytest.mark.parametrize("width", WIDTHS)
@settings(max_examples=40)
@given(data=st.data())
def test_bytes_without_spare_bits_come_back_too(width, data) -> None:
    words = data.draw(st.lists(st.binary(min_size=width, max_size=width), min_size=1, max_size=5))
    row = list(b"".join(words))
    stored = torch.tensor(row, dtype=torch.uint8)
    assert pack(unpack(stored, width, 8 * len(words)), width).tolist() == row


@pytest.mark.parametrize("width", WIDTHS)
@settings(max_examples=20)
@given(data=st.data())
def test_codes_at_which_nobody_looks_are_packed_as_others_are(width, data) -> None:
    row = torch.tensor(data.draw(codes(2**width)))
    assert torch.equal(pack(row.float(), width, clamped=True), pack(row, width))


@settings(max_examples=40)
@given(codes(3))
def test_trits_come_back_five_to_a_byte(row) -> None:
    packed = pack_trits(torch.tensor(row))
    assert len(packed) == -(-len(row) // 5)
    assert unpack_trits(packed, len(row)).tolist() == row


def test_a_byte_of_trits_is_a_number_to_base_3() -> None:
    assert pack_trits(torch.tensor([2, 0, 1, 0, 0, 1])).tolist() == [2 + 9, 1]
    assert pack_trits(torch.tensor([2, 2, 2, 2, 2])).tolist() == [242]


def test_rows_are_packed_apart() -> None:
    rows = torch.randint(0, 4, (2, 3, 7))
    packed = pack(rows, 2)
    assert packed.shape == (2, 3, 2)
    assert torch.equal(packed[1, 2], pack(rows[1, 2], 2))
    assert torch.equal(unpack(packed, 2, 7).long(), rows)


@pytest.mark.parametrize(("row", "width"), [([4], 2), ([-1], 2), ([0], 0), ([0], 9)])
def test_what_does_not_fit_is_refused(row, width) -> None:
    with pytest.raises(ValueError, match="codes"):
        pack(torch.tensor(row), width)


def test_a_trit_is_0_1_or_2() -> None:
    with pytest.raises(ValueError, match="between 0 and 2"):
        pack_trits(torch.tensor([3]))


def test_bytes_of_another_number_of_codes_are_refused() -> None:
    with pytest.raises(ValueError, match="bytes"):
        unpack(torch.zeros(3, dtype=torch.uint8), 2, 8)
    with pytest.raises(ValueError, match="bytes"):
        unpack_trits(torch.zeros(1, dtype=torch.uint8), 6)
