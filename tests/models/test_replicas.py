"""A replica of a stream, days of positions later, answers as the stream does.

Attention knows differences of positions only, so a shift of everything changes nothing but how
sines and cosines are rounded. In float32 the words are the same and logits differ in their last
bits; in bfloat16 they differ by no more than bfloat16 differs from the truth anyway.
"""

from __future__ import annotations

import math
from functools import cache

import pytest
import torch
from torch import Tensor
from transformers import Qwen3VLForConditionalGeneration
from transformers.models.qwen3_vl.modeling_qwen3_vl import Qwen3VLTextRotaryEmbedding

from memory.codecs.plain import Plain
from memory.recall.archive import Archive
from models.qwen3_vl import Qwen3VL
from models.vlm import ModelInfo
from tests.models.harness import Stream
from tests.tiny import CELL, ours, segment, stock, tokenizer

torch.set_num_threads(1)

FAR = 10_000_000  # positions: some days of one frame per second
QUESTION = "what do you see?"
QUESTIONS = (QUESTION, "where?", "see you", "1.5 seconds", "what is it", "do?")
# Angles are exact in float64 and sines and cosines are rounded to float32 once, so a replica may
# differ by that rounding in every product; logits of this model are of the size of 1.
BOUND = 1e-5
# Two runs that round differently are each as far from the truth as the other. Were their errors
# independent they would lie sqrt(2) times that far apart; they share most roundings (weights,
# pictures, everything that no position touches), so they lie nearer. 1.5 leaves room for chance.
APART = 1.5


class Shifted(Qwen3VL):
    """The same loaded model, whose stream starts at another position than 0."""

    def __init__(self, inner: Qwen3VL, start: int) -> None:
        vars(self).update(vars(inner))
        self._start = start

    def prefix(self, position: int = 0):
        return super().prefix(position + self._start)


def watched(model: Qwen3VL, start: int, archive: bool) -> Stream:
    """Twelve segments in a memory of which half are evicted."""
    kept = Archive(Plain(), model.rotation, model.shape, 10**7) if archive else None
    stream = Stream(Shifted(model, start), capacity=150, archive=kept)
    stream.watch([segment(i) for i in range(12)])
    assert stream.memory.seen > 1.5 * stream.memory.held
    return stream


@pytest.mark.parametrize("budget", [0, 80], ids=["window", "recalling"])
def test_a_replica_ten_million_positions_later_says_the_same(budget):
    stream, replica = (watched(ours(), start, budget > 0) for start in (0, FAR))
    tokens, moved = stream.memory.tokens, replica.memory.tokens
    assert (moved.positions - tokens.positions == FAR).all()
    said, logits = stream.ask(QUESTION, tokens=6, budget=budget)
    late, late_logits = replica.ask(QUESTION, tokens=6, budget=budget)
    assert late == said
    assert (late_logits - logits).abs().max() < BOUND


def test_the_comparison_notices_a_single_position():
    """One position more between beginning and pictures differs by far more than the bound."""
    logits = watched(ours(), 0, False).ask(QUESTION, tokens=1)[1]
    stream = Stream(ours(), capacity=150)
    stream.memory.next_position += 1
    stream.watch([segment(i) for i in range(12)])
    assert (stream.ask(QUESTION, tokens=1)[1] - logits).abs().max() > 10 * BOUND


@cache
def rounded(dtype: torch.dtype, exact: bool = True) -> Qwen3VL:
    """The tiny model with weights that bfloat16 can hold, computing in `dtype`.

    `exact` False has transformers' own angles, in float32.
    """
    reference = stock()
    model = Qwen3VLForConditionalGeneration(type(reference.config)(**reference.config.to_dict()))
    model.load_state_dict(reference.state_dict())
    model.generation_config.eos_token_id = reference.generation_config.eos_token_id
    model = model.to(torch.bfloat16).to(dtype).eval().requires_grad_(False)
    # Casting a model casts its frequencies too, which loading one never does.
    language = model.model.language_model
    language.rotary_emb = angles = Qwen3VLTextRotaryEmbedding(model.config.text_config)
    info = ModelInfo("tiny", "qwen3_vl", 0, "cpu", str(dtype), "random weights")
    found = Qwen3VL(model, tokenizer(), info, min_pixels=4 * CELL**2, max_pixels=64 * CELL**2)
    if not exact:
        language.rotary_emb = angles
    return found


def logits(model: Qwen3VL, start: int, budget: int) -> Tensor:
    """Of the first word of every answer, float64 [questions, vocab]."""
    stream = watched(model, start, budget > 0)
    said = [stream.ask(text, tokens=1, budget=budget)[1][0] for text in QUESTIONS]
    return torch.stack(said).double()


def rms(difference: Tensor) -> float:
    return math.sqrt(difference.square().mean().item())


@pytest.mark.parametrize("budget", [0, 80], ids=["window", "recalling"])
@pytest.mark.parametrize("start", [FAR, 10 * FAR])
def test_in_bfloat16_a_replica_is_as_near_as_bfloat16_is_to_the_truth(start, budget):
    truth = logits(rounded(torch.float32), 0, budget)
    here = logits(rounded(torch.bfloat16), 0, budget)
    there = logits(rounded(torch.bfloat16), start, budget)
    error = rms(here - truth)
    assert 0 < error < 0.05 * rms(truth)
    assert rms(there - truth) < APART * error
    assert rms(there - here) < APART * error


@pytest.mark.parametrize("start", [FAR, 10 * FAR])
def test_with_angles_in_float32_a_replica_is_farther_away_than_that(start):
    """The negative control, with transformers' own rotary module: at first it is as good."""
    truth = logits(rounded(torch.float32), 0, 0)
    error = rms(logits(rounded(torch.bfloat16), 0, 0) - truth)
    here = logits(rounded(torch.bfloat16, exact=False), 0, 0)
    there = logits(rounded(torch.bfloat16, exact=False), start, 0)
    assert rms(here - truth) < APART * error
    assert rms(there - truth) > APART * error
    assert rms(there - here) > APART * error
