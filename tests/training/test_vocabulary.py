"""The tokenizer: words of the world are single tokens, and any text survives."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from training.architecture import VOCABULARY
from training.vocabulary import SINK, SPECIAL, new_tokenizer
from worlds.vocabulary import COLOURS, HEADINGS, HELPERS, OBJECTS, PLACES, SHAPES, STATEFUL
from worlds.wording import NUMBERS, plural

WORDS = [
    *COLOURS,
    *SHAPES,
    *map(plural, SHAPES),
    *OBJECTS,
    *STATEFUL,
    *HELPERS,
    *{word for heading in HEADINGS for word in heading.split()},
    *NUMBERS,
    *{word for row in PLACES for name in row for word in name.split()},
    "color",
    "colour",
    "objects",
    "moving",
    "seconds",
    "appeared",
    "happened",
    "taken",
    "opened",
    "closed",
    "turned",
    "number",
    "before",
    "after",
]


@pytest.mark.parametrize("word", WORDS)
def test_every_word_that_matters_is_one_token_with_its_space(tongue, word):
    assert len(tongue(f" {word}")) == 1


@pytest.mark.parametrize("name", SPECIAL)
def test_special_tokens_are_single_and_never_come_from_splitting(tongue, name):
    assert tongue(f"a{name}b")[1:2] == [tongue.tokenizer.convert_tokens_to_ids(name)]


def test_numbers_are_read_digit_by_digit(tongue):
    ids = tongue.time(86400.5)
    assert tongue.tokenizer.convert_ids_to_tokens(ids)[1:8] == list("86400.5")
    assert len(set(ids[1:8])) == len(set("86400.5"))


@settings(deadline=None)
@given(text=st.text(max_size=60))
def test_any_text_survives_the_round_trip(tongue, text):
    tokenizer = tongue.tokenizer
    ids = tokenizer(text, add_special_tokens=False)["input_ids"]
    assert max(ids, default=0) < VOCABULARY
    if not any(name in text for name in SPECIAL):
        assert tokenizer.decode(ids) == text


def test_the_tokenizer_is_the_same_every_time(tongue):
    assert new_tokenizer().get_vocab() == tongue.tokenizer.get_vocab()


def test_the_template_writes_the_sink_the_engine_feeds(tongue):
    written = tongue.tokenizer.apply_chat_template(
        [{"role": "user", "content": "Is there a star?"}],
        tokenize=False,
        add_generation_prompt=True,
    )
    assert written == f"{SINK}Is there a star?<|im_end|>\n<|im_start|>assistant\n"
