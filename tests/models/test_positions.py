"""Every way of numbering and seeing equals plain transformers, given the same positions and mask.

The engine runs the answer, in pages, token by token, while steps come in; transformers gets all of
it as one sequence.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import pytest
import torch
from torch import Tensor

from core.errors import LookoutError
from engine.engine import Engine
from engine.limits import Limits
from engine.positions.continuous import Continuous
from engine.positions.gap import Gap
from engine.positions.group import Group
from engine.positions.interleave import Interleave
from engine.positions.overlap import Overlap
from engine.positions.scheme import Positions
from engine.requests import Ask, Perceived
from engine.speaking import Speaking
from engine.visibility import AsAsked, Live, Visibility
from memory.readers.reader import Plan
from models.layout import Chunk
from models.qwen3_vl import Qwen3VL
from tests.engine.listeners import Heard, open_camera, settle, show
from tests.models.oracle import whole
from tests.tiny import ours, segment, stock

TOLERANCE = 1e-4
QUESTION = "what do you see?"
LIMITS = Limits(cameras=1, answers=1, capacity=600, prompt_tokens=100, answer_tokens=40)
TOKENS, BEFORE, AFTER = 12, 2, 2  # said; steps that are there when it is asked, and come later


@dataclass
class Ran:
    """One forward of the answer."""

    positions: Tensor  # int64 [3, n]
    steps: int  # that had entered memory when it was planned
    logits: Tensor  # of its last token


class Recorded(Qwen3VL):
    """The tiny model; notes every forward without pictures, and how many steps had come in."""

    def __init__(self) -> None:
        vars(self).update(vars(ours()))
        self.ran: list[Ran] = []
        self.steps = 0

    def forward(self, chunks: Sequence[Chunk], plan: Plan) -> Tensor:
        steps, logits = self.steps, super().forward(chunks, plan)
        for chunk, own in zip(chunks, logits, strict=True):
            if not chunk.visual.any():
                self.ran.append(Ran(chunk.positions, steps, own.clone()))
        return logits


def answered(scheme: Positions, sight: Visibility, later: int) -> tuple[list[int], list[Ran]]:
    """What is said, and the forwards of it; `later` steps are handed in while it is said."""
    torch.set_num_threads(1)
    model = Recorded()

    def entered(result: Perceived | LookoutError) -> None:
        assert isinstance(result, Perceived)
        model.steps += 1

    with Engine(model, LIMITS, speaking=Speaking(sight, scheme)) as engine:
        handle = open_camera(engine)
        for i in range(BEFORE):
            show(engine, handle, segment(i))
            model.steps += 1
        model.ran.clear()

        def spoke(heard: Heard) -> None:
            if heard.deltas in range(1, 1 + 3 * later, 3):
                engine.perceive(handle, segment(BEFORE + heard.deltas // 3), entered)

        heard = Heard(spoke)
        engine.ask(handle, Ask(QUESTION, max_tokens=TOKENS), heard)
        assert heard.wait().tokens == TOKENS
        show(engine, handle, None)  # enters after all that was handed in
        assert model.steps == BEFORE + later
        settle(engine, [handle])
    said = [int(ran.logits.argmax()) for ran in model.ran]
    return said[len(said) - TOKENS :], model.ran


def reference(said: list[int], ran: list[Ran], later: int) -> Tensor:
    """Logits where each word is said, by transformers on all at once, [TOKENS, vocab]."""
    sequence = whole([segment(i) for i in range(BEFORE + later)], QUESTION)
    positions, _ = stock().model.get_rope_index(
        sequence.ids, sequence.kinds, video_grid_thw=sequence.grids
    )
    own = torch.cat([one.positions for one in ran], dim=1)  # of question, marks and words
    sees = [one.steps for one in ran for _ in range(one.positions.shape[1])]
    asked = own.shape[1] - (TOKENS - 1)
    watched = sequence.ids.shape[1] - asked
    ids = torch.cat([sequence.ids, torch.tensor([said[:-1]])], dim=1)
    n = ids.shape[1]
    assert n == watched + own.shape[1]
    visible = torch.ones(n, n, dtype=torch.bool).tril()
    step = steps_of(sequence.ids[0], watched)
    for row, seen in enumerate(sees, start=watched):
        visible[row, :watched] = step < seen
    logits = stock()(
        input_ids=ids,
        mm_token_type_ids=torch.cat([sequence.kinds, torch.zeros(1, TOKENS - 1).int()], dim=1),
        pixel_values_videos=sequence.pixels,
        video_grid_thw=sequence.grids,
        position_ids=torch.cat([positions[..., :watched], own[:, None]], dim=-1),
        attention_mask=visible[None, None],
    ).logits[0]
    return logits[n - TOKENS :]


def steps_of(ids: Tensor, watched: int) -> Tensor:
    """Which step each token before the question belongs to, -1 the fixed beginning, [watched]."""
    ends = ids[:watched] == ours()._vision_end
    sink = len(ours().prefix())
    steps = ends.long().cumsum(0) - ends.long()
    steps[:sink] = -1
    return steps


@pytest.mark.parametrize("scheme", [Continuous(), Group(), Group(question_too=True), Gap()])
def test_an_answer_on_a_snapshot_equals_one_forward_over_all_with_its_positions(scheme):
    said, ran = answered(scheme, AsAsked(), later=AFTER)
    snapshot = [Ran(one.positions, BEFORE, one.logits) for one in ran]
    found = torch.stack([one.logits for one in ran[len(ran) - TOKENS :]])
    assert (found - reference(said, snapshot, AFTER)).abs().max() < TOLERANCE


@pytest.mark.parametrize("scheme", [Continuous(), Group(), Gap()])
def test_a_live_answer_equals_one_forward_in_which_each_word_sees_what_had_come_in(scheme):
    said, ran = answered(scheme, Live(), later=AFTER)
    assert {one.steps for one in ran} > {BEFORE}, "steps must come in while it is said"
    found = torch.stack([one.logits for one in ran[len(ran) - TOKENS :]])
    assert (found - reference(said, ran, AFTER)).abs().max() < TOLERANCE
    early = [Ran(one.positions, BEFORE + AFTER, one.logits) for one in ran]
    assert (found - reference(said, early, AFTER)).abs().max() > 10 * TOLERANCE, "a step too early"
    late = [Ran(one.positions, BEFORE, one.logits) for one in ran]
    assert (found - reference(said, late, AFTER)).abs().max() > 10 * TOLERANCE, "a step too late"


@pytest.mark.parametrize("scheme", [Group(), Gap(), Gap(offset=300)])
def test_the_scheme_matters_to_what_the_model_says(scheme):
    _, ran = answered(scheme, AsAsked(), later=0)
    _, usual = answered(Continuous(), AsAsked(), later=0)
    first = len(ran) - TOKENS
    assert (ran[first].logits - usual[first].logits).abs().max() > 10 * TOLERANCE


@pytest.mark.parametrize("scheme", [Interleave(), Overlap()])
def test_where_frames_move_on_too_words_stand_after_the_steps_that_they_see(scheme):
    _, ran = answered(scheme, Live(), later=AFTER)
    words = [int(one.positions[0, -1]) for one in ran]
    assert words == sorted(set(words))
    jumps = [b - a for a, b in pairwise(words) if b - a > 1]
    assert jumps, "a step took numbers in between"
