"""What each pruning method keeps, run our way, equals plain transformers on the dense sequence.

Plain transformers gets the dense sequence, its dropped tokens hidden as keys, and for methods that
merge the merged features and DeepStack rows at their anchors.
"""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from core.frames import Segment
from pruning.online import OnlinePruner
from pruning.registry import policies
from tests.models.harness import Stream
from tests.models.oracle import attend, whole
from tests.tiny import ours, segment, stock

TOLERANCE = 1e-4
QUESTION = "what do you see?"
BUDGET = 4  # of 12 visual tokens a step


def scene() -> list[Segment]:
    """Three segments of two steps: a picture that stays, with one moving corner, then another."""
    segments = []
    for index in range(3):
        one = segment(index, steps=2)
        still = segment(7 + index // 2).frames[0].pixels
        frames = []
        for frame in one.frames:
            pixels = np.clip(still.astype(int) + frame.pixels % 3, 0, 255).astype(np.uint8)
            pixels[:20, :20] = frame.pixels[:20, :20]
            frames.append(frame.showing(pixels))
        segments.append(dataclasses.replace(one, frames=tuple(frames)))
    return segments


def expected(segments: list[Segment], index: torch.Tensor, features, deepstack) -> torch.Tensor:
    """Logits of plain transformers when only the tokens at `index` can be read."""
    sequence = whole(segments, QUESTION)
    visual = (sequence.kinds[0] == 2).nonzero()[:, 0]
    hidden = torch.zeros(sequence.ids.shape[1], dtype=torch.bool)
    hidden[visual] = True
    hidden[visual[index]] = False
    n = len(hidden)
    visible = torch.ones(n, n, dtype=torch.bool).tril() & ~hidden[None]
    visible |= torch.eye(n, dtype=torch.bool)
    seen = stock().model.get_video_features(sequence.pixels, sequence.grids)
    seen.pooler_output = [_replaced(torch.cat(tuple(seen.pooler_output)), index, features)]
    levels = zip(seen.deepstack_features, deepstack, strict=True)
    seen.deepstack_features = [
        [_replaced(torch.cat(tuple(level)), index, new)] for level, new in levels
    ]
    return attend(sequence, visible, seen)


def _replaced(dense: torch.Tensor, index: torch.Tensor, rows: torch.Tensor) -> torch.Tensor:
    dense = dense.clone()
    dense[index] = rows
    return dense


@pytest.mark.parametrize("policy", policies(), ids=lambda p: p.label)
def test_a_pruned_prefill_equals_the_dense_one_with_dropped_keys_hidden(policy):
    segments, stream, pruner = scene(), Stream(ours()), OnlinePruner(policy, BUDGET)
    pieces = []
    for one in segments:
        pieces += pruner.push(
            ours().encode([one], attention=policy.needs_attention, pixels=policy.needs_pixels)[0]
        )
    pieces += pruner.flush()
    stream.remember(pieces)
    _, logits = stream.ask(QUESTION, tokens=1)
    steps = np.cumsum([0] + [piece.grid.t for piece in pieces])
    index = torch.cat(
        [p.index + int(s) * p.grid.per_step for p, s in zip(pieces, steps, strict=False)]
    )
    features = torch.cat([piece.features for piece in pieces])
    deepstack = [torch.cat(level) for level in zip(*(p.deepstack for p in pieces), strict=True)]
    reference = expected(segments, index, features, deepstack)
    assert (logits[0] - reference).abs().max() < TOLERANCE
    if policy.method != "none":
        assert pruner.kept < pruner.encoded, "the method must be at work"
        wrong = [level.roll(1, dims=0) for level in deepstack]
        drifted = expected(segments, index, features, wrong)
        assert (logits[0] - drifted).abs().max() > 10 * TOLERANCE, "DeepStack rows must matter"
