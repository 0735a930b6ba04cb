"""Our segment-wise, paged, pruned way of running equals plain transformers on the whole."""

from __future__ import annotations

import dataclasses

import pytest
import torch

from core.tokens import VisualTokens
from engine.runner import Row
from memory.codecs.plain import Plain
from memory.recall.archive import Archive
from memory.recall.step import thaw
from memory.scratch import Scratch
from models.layout import join
from tests.memory.recall.steps import opened
from tests.models.harness import Stream
from tests.models.oracle import attend, generate, masked, whole
from tests.tiny import ours, segment, stock

TOLERANCE = 1e-4
QUESTION = "what do you see?"


def random_keep(seed: int, share: float):
    """Keeps a random subset of every segment; the subsets are remembered in order."""
    generator = torch.Generator().manual_seed(seed)
    kept: list[torch.Tensor] = []

    def prune(tokens: VisualTokens) -> VisualTokens:
        rows = (torch.rand(len(tokens), generator=generator) < share).nonzero()[:, 0]
        rows = rows if len(rows) else torch.tensor([0])
        kept.append(rows)
        return tokens.select(rows)

    return prune, kept


def dropped_tokens(sequence, kept: list[torch.Tensor]) -> torch.Tensor:
    """Bool [n]: visual tokens of the dense sequence that no subset kept."""
    visual = (sequence.kinds[0] == 2).nonzero()[:, 0]
    dropped = torch.zeros(sequence.ids.shape[1], dtype=torch.bool)
    dropped[visual] = True
    start = 0
    for rows, grid in zip(kept, sequence.grids, strict=True):
        dropped[visual[start + rows]] = False
        start += int(grid.prod()) // 4
    return dropped


@pytest.mark.parametrize("steps", [1, 2, 3])
@pytest.mark.parametrize("parts", [1, 3])
def test_segment_by_segment_equals_one_shot_generate(steps, parts):
    segments = [segment(i, steps=steps) for i in range(4)]
    said, logits = generate(whole(segments, QUESTION), tokens=8)
    stream = Stream(ours())
    stream.watch(segments)
    our_said, our_logits = stream.ask(QUESTION, tokens=8, parts=parts)
    assert (our_logits - logits).abs().max() < TOLERANCE
    assert our_said == said


def test_the_logits_are_decisive_enough_for_the_comparison_to_mean_something():
    _, logits = generate(whole([segment(0)], QUESTION), tokens=4)
    top = logits.topk(2, dim=-1).values
    assert (top[:, 0] - top[:, 1]).min() > 10 * TOLERANCE
    _, other = generate(whole([segment(1)], QUESTION), tokens=4)
    assert (logits - other).abs().max() > 100 * TOLERANCE, "the picture must matter"


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("share", [0.05, 0.3, 0.8])
def test_a_pruned_prefill_equals_the_dense_one_with_dropped_keys_hidden(seed, share):
    segments = [segment(i) for i in range(3)]
    prune, kept = random_keep(seed, share)
    stream = Stream(ours())
    stream.watch(segments, prune)
    _, logits = stream.ask(QUESTION, tokens=1)
    sequence = whole(segments, QUESTION)
    reference = masked(sequence, dropped_tokens(sequence, kept))
    assert (logits[0] - reference).abs().max() < TOLERANCE


class TestNegativeControls:
    """What the test above must catch: each of these wrong ways differs by far."""

    def run(self, prune) -> torch.Tensor:
        stream = Stream(ours())
        stream.watch([segment(i) for i in range(3)], prune)
        return stream.ask(QUESTION, tokens=1)[1][0]

    def reference(self, kept) -> torch.Tensor:
        sequence = whole([segment(i) for i in range(3)], QUESTION)
        return masked(sequence, dropped_tokens(sequence, kept))

    def test_deepstack_rows_of_other_tokens_are_caught(self):
        right, kept = random_keep(1, 0.5)

        def wrong(tokens: VisualTokens) -> VisualTokens:
            pruned = right(tokens)
            shifted = tuple(level[: len(pruned)] for level in tokens.deepstack)
            return dataclasses.replace(pruned, deepstack=shifted)

        logits = self.run(wrong)
        assert (logits - self.reference(kept)).abs().max() > 10 * TOLERANCE

    def test_compacted_positions_are_caught(self):
        right, kept = random_keep(1, 0.5)

        def wrong(tokens: VisualTokens) -> VisualTokens:
            pruned = right(tokens)
            return dataclasses.replace(pruned, index=torch.arange(len(pruned)))

        logits = self.run(wrong)
        assert (logits - self.reference(kept)).abs().max() > 10 * TOLERANCE

    def test_stale_rope_deltas_are_caught(self):
        """Numbering the question by cache length plus the dense delta, as generate does."""
        right, kept = random_keep(1, 0.5)
        stream = Stream(ours())
        stream.watch([segment(i) for i in range(3)], right)
        sequence = whole([segment(i) for i in range(3)], QUESTION)
        _, delta = stock().model.get_rope_index(
            sequence.ids, sequence.kinds, video_grid_thw=sequence.grids
        )
        stream.memory.next_position = stream.memory.held + int(delta)
        logits = stream.ask(QUESTION, tokens=1)[1][0]
        assert (logits - self.reference(kept)).abs().max() > 10 * TOLERANCE


def test_an_evicted_memory_equals_the_dense_sequence_with_evicted_keys_hidden_from_later_queries():
    """Window eviction: later steps and the question do not see what was evicted before them."""
    segments = [segment(i) for i in range(6)]
    sequence = whole(segments, QUESTION)
    positions, _ = stock().model.get_rope_index(
        sequence.ids, sequence.kinds, video_grid_thw=sequence.grids
    )
    place = {tuple(p): i for i, p in enumerate(positions[:, 0].T.tolist())}
    stream = Stream(ours(), capacity=70)
    n = sequence.ids.shape[1]
    visible = torch.ones(n, n, dtype=torch.bool).tril()
    for one in segments:
        before = stream.memory.seen
        survivors = [place[tuple(p)] for p in stream.memory.tokens.positions.tolist()]
        gone = torch.ones(before, dtype=torch.bool)
        gone[survivors] = False
        visible[before:, :before] &= ~gone  # for this segment and all that follows
        stream.watch([one])
    before = stream.memory.seen
    survivors = [place[tuple(p)] for p in stream.memory.tokens.positions.tolist()]
    gone = torch.ones(before, dtype=torch.bool)
    gone[survivors] = False
    visible[before:, :before] &= ~gone
    assert stream.memory.held <= 70 < stream.memory.seen
    reference = attend(sequence, visible)
    assert (stream.ask(QUESTION, tokens=1)[1][0] - reference).abs().max() < TOLERANCE
    everything = attend(sequence, torch.ones(n, n, dtype=torch.bool).tril())
    assert (everything - reference).abs().max() > 10 * TOLERANCE, "eviction must matter here"


def test_a_question_that_recalls_everything_sees_what_no_later_segment_saw():
    """Frozen without loss and thawed whole, at the positions it had: as if never evicted."""
    segments = [segment(i) for i in range(9)]
    sequence = whole(segments, QUESTION)
    positions, _ = stock().model.get_rope_index(
        sequence.ids, sequence.kinds, video_grid_thw=sequence.grids
    )
    place = {tuple(p): i for i, p in enumerate(positions[:, 0].T.tolist())}
    archive = Archive(Plain(), ours().rotation, ours().shape, 10**7)
    stream = Stream(ours(), capacity=120, archive=archive)
    n = sequence.ids.shape[1]
    visible = torch.ones(n, n, dtype=torch.bool).tril()
    for one in [*segments, None]:
        before = stream.memory.seen
        survivors = [place[tuple(p)] for p in stream.memory.tokens.positions.tolist()]
        if one is None:
            break
        gone = torch.ones(before, dtype=torch.bool)
        gone[survivors] = False
        visible[before:, :before] &= ~gone
        stream.watch([one])
    thawed = {place[tuple(p)] for one in thaw(opened(archive)) for p in one.positions.tolist()}
    assert len(thawed) > 30
    asked = stream.memory.seen
    visible[asked:, :asked] = False
    visible[asked:, [*survivors, *thawed]] = True
    logits = stream.ask(QUESTION, tokens=1, budget=1000)[1][0]
    assert (logits - attend(sequence, visible)).abs().max() < TOLERANCE
    forgetful = stream.ask(QUESTION, tokens=1)[1][0]
    assert (forgetful - logits).abs().max() > 10 * TOLERANCE, "recalling must matter here"
    some = stream.ask(QUESTION, tokens=1, budget=40)[1][0]
    assert (some - logits).abs().max() > 10 * TOLERANCE


@pytest.mark.parametrize("days", [1, 30])
def test_days_into_a_stream_the_same_pictures_give_the_same_logits(days):
    """Attention knows differences of positions only; float32 angles would forget them."""

    def logits(base: int) -> torch.Tensor:
        stream, model = Stream(ours()), ours()
        scratch = Scratch(stream.pool, 400)
        chunks = [model.prefix(base)]
        for one in (segment(0), segment(1)):
            chunks.append(model.lay_steps(model.encode([one])[0], chunks[-1].next_position))
        chunks.append(
            model.lay_text(model.question_ids(QUESTION, [], ""), chunks[-1].next_position)
        )
        return stream.runner.forward([Row(join(chunks), None, scratch)])[0]

    assert (logits(days * 24 * 3600 * 40) - logits(0)).abs().max() < TOLERANCE


@pytest.mark.parametrize("sizes", [[(48, 64)], [(48, 64), (64, 80)]])
def test_several_segments_of_several_cameras_encode_in_one_call_as_alone(sizes):
    model = ours()
    segments = [segment(i, steps=1 + i // 2, size=sizes[i % len(sizes)]) for i in range(4)]
    together = model.encode(segments)
    for one, tokens in zip(segments, together, strict=True):
        alone = model.encode([one])[0]
        assert torch.allclose(alone.features, tokens.features, atol=1e-5)
        for a, b in zip(alone.deepstack, tokens.deepstack, strict=True):
            assert torch.allclose(a, b, atol=1e-5)


def test_a_special_token_spelt_out_in_a_question_stays_plain_text():
    ids = ours().question_ids("<|im_end|> <|vision_start|>", [], "")
    specials = [i for i in ids if i < 8]
    assert len(specials) == 2, "only the template's own <|im_end|> and <|im_start|>"
