"""The layout of training is the stock model's, and questions see what they would see alone."""

from __future__ import annotations

from copy import deepcopy

import numpy as np
import pytest
import torch
from transformers import Qwen3VLForConditionalGeneration

from models.preprocess import patchify
from training.architecture import MERGE, PER_STEP, SIDE, embedded_config, new_model
from training.clips import ClipMaker, Recipe
from training.eye import cut, see
from training.film import Darkroom
from training.layout import (
    SILENT,
    Asked,
    collate,
    collate_questions,
    memory_mask,
    positions,
    question_mask,
    remember,
    spoken,
)
from training.streams import StreamPhase, kept
from training.vocabulary import SPECIAL

TASKS = {"colour": 1.0, "count": 1.0, "direction": 1.0, "appeared": 1.0}
MOODS = {"shapes": 1.0, "desk": 1.0}


ROOM = Darkroom(torch.device("cpu"), seed=0)


def recipe(steps, questions, clips, tasks=TASKS, **more) -> Recipe:
    return Recipe(steps, questions, clips, tasks, MOODS, size=96, **more)


@pytest.fixture(scope="module")
def model(tongue) -> Qwen3VLForConditionalGeneration:
    special = {name: tongue.tokenizer.convert_tokens_to_ids(name) for name in SPECIAL}
    return new_model(embedded_config(special), seed=0).eval()


@pytest.mark.parametrize("patch", [8, 16])
def test_patches_are_cut_as_the_pipeline_cuts_them(patch):
    side = SIDE * MERGE * patch
    frames = np.random.default_rng(1).integers(0, 256, (4, side, side, 3), dtype=np.uint8)
    theirs, _ = patchify(frames, (side, side), patch=patch, merge=MERGE, temporal=2)
    assert torch.equal(cut(torch.from_numpy(frames), patch), theirs)


def test_unpruned_positions_are_those_of_the_stock_model(tongue, model):
    row = remember(tongue, [0.1, 0.6, 1.1], [PER_STEP] * 3, gap=0)
    memories = collate(tongue, [row], [3])
    visual = memories.ids == tongue.visual
    cells = torch.arange(PER_STEP).repeat(3)
    ours = positions(memories, visual, cells // SIDE, cells % SIDE)
    grid = torch.tensor([[3, SIDE * MERGE, SIDE * MERGE]])
    stock, _ = model.model.get_rope_index(memories.ids, visual.int() * 2, video_grid_thw=grid)
    assert torch.equal(ours, stock)
    assert row.after[-1] == int(stock.max()) + 1


def test_pruning_leaves_the_positions_of_the_survivors_and_of_all_that_follows(tongue):
    full = remember(tongue, [0.1, 0.6], [PER_STEP] * 2, gap=500)
    pruned = remember(tongue, [0.1, 0.6], [7, 20], gap=500)
    assert pruned.after == full.after
    assert pruned.base[len(tongue.sink)] == len(tongue.sink) + 500
    assert set(pruned.base) <= set(full.base)


def test_targets_are_the_answer_with_its_end_each_one_place_ahead(tongue):
    turns = (("What is new?", "Nothing new."), ("Is there a star?", "Yes."))
    ids, target = spoken(tongue, Asked(1, turns))
    ahead = [new for new, wanted in zip(ids[1:], target, strict=False) if wanted != SILENT]
    assert ahead == [wanted for wanted in target if wanted != SILENT]
    words = tongue.tokenizer.decode(ahead)
    assert words == "Nothing new.<|im_end|>Yes.<|im_end|>"


def test_a_question_sees_the_sink_its_window_and_itself_only(tongue):
    rows = [remember(tongue, [0.1, 0.6, 1.1, 1.6], [4, 5, 6, 7], gap=0)]
    memories = collate(tongue, rows, [2])
    asked = [[Asked(3, (("What is new?", "Nothing new."),))]]
    questions = collate_questions(tongue, rows, asked)
    seen = question_mask(memories, questions)[0, 0] == 0
    steps = memories.step[0]
    for place in range(questions.ids.shape[1]):
        assert set(steps[seen[place, : len(steps)]].tolist()) == {0, 2, 3}
        assert seen[place, len(steps) :].tolist() == [n <= place for n in range(len(seen))]
    inside = memory_mask(memories)[0, 0] == 0
    last = int(memories.ends[0, 3])
    assert set(steps[inside[last]].tolist()) == {0, 3, 4}
    assert not inside.triu(1).any()


def test_asking_of_memory_equals_the_stock_model_on_the_whole_sequence(tongue, model):
    """Vision, layout, folded attention and the two passes against stock transformers."""
    counts = [PER_STEP] * 2
    frames = torch.from_numpy(
        np.random.default_rng(0).integers(0, 256, (4, 96, 96, 3), dtype=np.uint8)
    )
    row = remember(tongue, [0.1, 0.6], counts, gap=0)
    asked = Asked(2, (("Where is the star?", "It is at the top."),))
    memories = collate(tongue, [row], [2])
    questions = collate_questions(tongue, [row], [[asked]])
    phase = StreamPhase("check", model, tongue, recipe((2, 2), 1, 1), eye=0, room=ROOM)
    with torch.no_grad():
        features, taps = see(model, frames)
        keep = torch.ones(2, PER_STEP, dtype=torch.bool)
        memory, _, visual = phase._remember(memories, features, taps, keep)
        ours = model.lm_head(phase._ask(memories, questions, memory)[0])[0]
        stock = deepcopy(model)
        stock.set_attn_implementation("sdpa")
        ids = torch.cat([memories.ids, questions.ids], dim=1)
        pixels, grid = patchify(frames.numpy(), (96, 96), patch=8, merge=2, temporal=2)
        kinds = torch.cat([visual.int() * 2, torch.zeros_like(questions.ids).int()], dim=1)
        theirs = stock(
            input_ids=ids,
            pixel_values_videos=pixels,
            video_grid_thw=grid,
            mm_token_type_ids=kinds,
        ).logits[0, -questions.ids.shape[1] :]
    assert torch.allclose(ours, theirs, atol=1e-4), float((ours - theirs).abs().max())


def test_exactly_the_counted_tokens_are_kept_and_by_score_the_odd_one_out_stays(tongue):
    maker = ClipMaker(tongue, recipe((2, 2), 1, 6))
    batch = maker.batch(np.random.default_rng(1))
    features = torch.randn(len(batch.counts), PER_STEP, 8) * 0.01 + 1
    features[:, 17] = torch.randn(8) * 5
    keep = kept(features, batch)
    assert torch.equal(keep.sum(1), batch.counts)
    by_score = batch.chosen.repeat_interleave(2)
    assert keep[by_score, 17].all()


def test_questions_of_one_clip_do_not_see_each_other(tongue):
    rows = [remember(tongue, [0.1, 0.6], [4, 5], gap=0)]
    memories = collate(tongue, rows, [2])
    asked = [[Asked(1, (("What is new?", "A star."),)), Asked(2, (("Is there a star?", "Yes."),))]]
    questions = collate_questions(tongue, rows, asked)
    seen = question_mask(memories, questions)[0, 0] == 0
    length, number = memories.ids.shape[1], questions.number[0]
    own = seen[:, length:]
    for one in range(len(own)):
        for other in range(len(own)):
            assert bool(own[one, other]) == (number[one] == number[other] and other <= one)
    steps = {
        int(number[place]): set(memories.step[0][seen[place, :length]].tolist())
        for place in range(len(own))
    }
    assert steps == {0: {0, 1}, 1: {0, 1, 2}}


def test_decoupled_questions_count_from_nought_and_the_others_on_from_their_step(tongue):
    rows = [remember(tongue, [0.1, 0.6], [4, 5], gap=0)]
    turns = (("What is new?", "A star."),)
    questions = collate_questions(
        tongue, rows, [[Asked(2, turns), Asked(2, turns, decoupled=True)]]
    )
    number, position = questions.number[0], questions.position[0]
    assert position[number == 0].tolist()[0] == rows[0].after[1]
    assert position[number == 1].tolist()[0] == 0
    maker = ClipMaker(tongue, recipe((1, 1), 1, 12, decoupled=1.0))
    made = maker.batch(np.random.default_rng(2)).questions
    assert all(int(made.position[made.number == n][0]) == 0 for n in range(len(made.clip)))
