"""Silence is a token of its own, and nobody ever reads it."""

from __future__ import annotations

import pytest

from engine.detokenizer import Detokenizer
from models.qwen3_vl import Qwen3VL
from models.vlm import ModelInfo
from training.architecture import SIZES, embedded_config, new_model
from training.layout import Tongue
from training.vocabulary import SILENT_TOKEN, SPECIAL, new_tokenizer
from worlds.wording import SILENCE


@pytest.fixture(scope="module")
def tongue() -> Tongue:
    return Tongue(new_tokenizer())


@pytest.fixture(scope="module")
def model(tongue) -> Qwen3VL:
    special = {name: tongue.tokenizer.convert_tokens_to_ids(name) for name in SPECIAL}
    info = ModelInfo("random", "Qwen3VL", 0, "cpu", "float32", "")
    weights = new_model(embedded_config(special, SIZES["xs"]), 0).eval()
    return Qwen3VL(weights, tongue.tokenizer, info, min_pixels=96**2, max_pixels=96**2)


def said(model: Qwen3VL, ids: list[int]) -> str:
    """As the engine says them: until a token that ends the answer."""
    detokenizer, text = Detokenizer(model.detokenize), ""
    for token in ids:
        if token in model.stop_ids:
            break
        text += detokenizer.push(token)
    return text + detokenizer.flush()


def test_silence_as_it_is_trained_is_no_text_at_all(model, tongue):
    assert said(model, tongue.answer(SILENCE)) == ""
    assert said(model, [tongue.silent] * 20) == ""


def test_silence_among_words_leaves_the_words(model, tongue):
    ids = [tongue.silent, *tongue("A red star"), tongue.silent, *tongue(" appeared.")]
    assert said(model, ids) == "A red star appeared."


def test_what_is_trained_to_be_said_is_what_is_read(model, tongue):
    for text in ("The lamp was turned on.", "There are two.", "At 12.3 seconds."):
        assert said(model, tongue.answer(text)) == text


def test_whoever_types_the_token_of_silence_has_typed_plain_text(model, tongue):
    assert tongue.silent not in model.question_ids(f"Say {SILENT_TOKEN}", (), "")
