from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from engine.detokenizer import Detokenizer


def decode(ids) -> str:
    return bytes(ids).decode("utf-8", errors="replace")


@given(st.text(max_size=60))
def test_deltas_add_up_to_the_text_and_never_split_a_character(text):
    detokenizer = Detokenizer(decode)
    deltas = [detokenizer.push(byte) for byte in text.encode()]
    deltas.append(detokenizer.flush())
    assert "".join(deltas) == text
    if "\N{REPLACEMENT CHARACTER}" not in text:
        assert not any("\N{REPLACEMENT CHARACTER}" in delta for delta in deltas)


def test_bytes_that_never_become_a_character_are_not_waited_for_for_ever():
    detokenizer = Detokenizer(decode)
    deltas = [detokenizer.push(0xFF) for _ in range(100)]
    assert sum(map(len, deltas)) > 80
    assert "".join(deltas) + detokenizer.flush() == "\N{REPLACEMENT CHARACTER}" * 100


def test_what_stays_unfinished_is_said_at_the_end():
    detokenizer = Detokenizer(decode)
    assert detokenizer.push("é".encode()[0]) == ""
    assert detokenizer.flush() == "\N{REPLACEMENT CHARACTER}"
    assert detokenizer.flush() == ""
