"""Likeness equals what plain transformers' layers read, and holds DeepStack against nobody."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from engine.runner import Row
from memory.observation import Observed
from memory.scratch import Scratch
from models.layout import Chunk
from models.likeness import compared
from tests.models.harness import Stream, split
from tests.tiny import ours, segment, stock


def chunk(number: int = 0) -> Chunk:
    (tokens,) = ours().encode([segment(number, steps=2)])
    return ours().lay_steps(tokens, 0)


def noted(chunk: Chunk, parts: int = 1, beside: Chunk | None = None) -> torch.Tensor:
    """Of a chunk's visual tokens, [layers, visual]; prefilled in parts, alone or beside another."""
    stream, observed = Stream(ours()), Observed(0, states=True)
    scratch = Scratch(stream.pool, len(chunk))
    for part in split(chunk, parts):
        rows = [Row(part, None, scratch, observed)]
        if beside is not None:
            rows.insert(0, Row(beside, None, Scratch(stream.pool, len(beside))))
        stream.runner.forward(rows)
    likeness = observed.likeness(chunk.visual.numpy())
    assert likeness is not None
    assert bool(likeness[:, ~chunk.visual].isnan().all())
    return likeness[:, chunk.visual]


def read_by_stock(chunk: Chunk) -> list[torch.Tensor]:
    """What every layer of the plain model reads at visual tokens, each [visual, d]."""
    language, read = stock().model.language_model, []
    hooks = [
        layer.register_forward_pre_hook(lambda _, given: read.append(given[0][0, chunk.visual]))
        for layer in language.layers
    ]
    with torch.inference_mode():
        language(inputs_embeds=chunk.embeds[None], position_ids=chunk.positions[:, None],
                 use_cache=False, visual_pos_masks=chunk.visual[None],
                 deepstack_visual_embeds=list(chunk.deepstack))  # fmt: skip
    for hook in hooks:
        hook.remove()
    return read


@pytest.mark.parametrize("parts", [1, 3])
def test_it_is_the_cosine_of_what_a_layer_reads_with_all_that_was_put_in_before_it(parts):
    one = chunk()
    given = [one.embeds[one.visual]]
    for number in range(1, 4):
        level = one.deepstack[number - 1] if number <= len(one.deepstack) else 0
        given.append(given[-1] + level)
    read = zip(read_by_stock(one), given, strict=True)
    wanted = [F.cosine_similarity(h, x, dim=-1) for h, x in read]
    found = noted(one, parts)
    assert torch.allclose(found, torch.stack(wanted), atol=1e-4)
    assert torch.allclose(found[0], torch.ones(()), atol=1e-6), "nothing has been written yet"
    assert (found[-1] < 0.999).all()


def test_without_the_rows_of_deepstack_the_second_layer_would_look_degraded():
    one = chunk()
    plain = F.cosine_similarity(read_by_stock(one)[1], one.embeds[one.visual], dim=-1)
    assert (noted(one)[1] - plain).abs().max() > 1e-3


def test_of_a_packed_forward_each_is_told_its_own():
    one, other = chunk(), chunk(5)
    assert torch.allclose(noted(one, beside=other), noted(one), atol=1e-5)
    assert not torch.allclose(noted(other), noted(one), atol=1e-3)


def test_a_forward_that_fails_notes_nothing_so_that_it_may_be_run_again():
    layers, one = ours()._model.model.language_model.layers, chunk()
    stream, observed = Stream(ours()), Observed(100, states=True)
    rows = [Row(one, None, Scratch(stream.pool, len(one)), observed)]

    def fail(*_: object) -> None:
        raise RuntimeError("in the middle")

    hook = layers[2].register_forward_hook(fail)
    try:
        with pytest.raises(RuntimeError, match="middle"):
            stream.runner.forward(rows)
    finally:
        hook.remove()
    assert observed.likeness(one.visual.numpy()) is None
    assert not observed.asked
    stream.runner.forward(rows)
    assert observed.likeness(one.visual.numpy()) is not None
    layers_asked = [len(queries) for queries in observed.asked.values()]
    assert layers_asked == [min(100, len(one))] * len(layers), "none of them twice"


def test_nothing_is_watched_where_nobody_asks_and_nothing_is_left_behind():
    layers = ours()._model.model.language_model.layers
    one, stream = chunk(), Stream(ours())
    scratch = Scratch(stream.pool, len(one))
    plan = stream.runner._plan([Row(one, None, scratch, Observed(4))])
    with compared(layers, one, plan):
        assert not any(layer._forward_pre_hooks for layer in layers)
    noted(one)
    assert not any(layer._forward_pre_hooks for layer in layers)
    words = ours().lay_text(ours().question_ids("what?", (), ""), 0)
    observed = Observed(0, states=True)
    stream.runner.forward([Row(words, None, Scratch(stream.pool, len(words)), observed)])
    assert observed.likeness(words.visual.numpy()) is None
