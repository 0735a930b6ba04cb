"""Presets take equal bytes, and each can be had."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from memory.codecs.plain import Plain
from memory.policies.registry import POLICIES
from memory.policies.sink_window import SinkWindow
from memory.pool import KVShape
from memory.presets import LOOKOUT, PRESETS, RECENT_4, SINK_WINDOW, Archived, Preset, room
from memory.recall.gate import Always

SHAPES = (KVShape(6, 2, 32), KVShape(28, 8, 128, torch.bfloat16))


@given(
    tokens=st.integers(64, 5000),
    page=st.integers(1, 32),
    shape=st.sampled_from(SHAPES),
    hot=st.integers(32, 600),
)
def test_all_presets_take_the_same_bytes_within_one_page(tokens, page, shape, hot):
    given_bytes = tokens * shape.bytes_per_token
    other = Preset("other", SinkWindow(), Archived(Plain(), Always(), hot))
    for preset in (*PRESETS, other):
        size = room(preset, shape, tokens, page)
        assert size.capacity % page == 0
        assert 0 <= given_bytes - size.bytes(shape) < page * shape.bytes_per_token
        assert (size.archive_bytes > 0) == (preset.archived is not None)


def test_an_archive_is_paid_for_with_hot_memory():
    sizes = {preset.name: room(preset, SHAPES[0], 512, 16) for preset in PRESETS}
    assert sizes[LOOKOUT].capacity == 128
    assert sizes[SINK_WINDOW].capacity == sizes[RECENT_4].capacity == 512
    lookout = next(preset for preset in PRESETS if preset.name == LOOKOUT)
    larger = room(lookout, SHAPES[0], 2048, 16)
    assert larger.capacity == 128, "more bytes make a longer past, not a longer present"
    assert larger.archive_bytes == (2048 - 128) * SHAPES[0].bytes_per_token
    assert room(lookout, SHAPES[0], 128, 16).capacity == 64


def test_names_are_unique_and_archives_stand_only_where_whole_steps_go():
    assert len({preset.name for preset in PRESETS}) == len(PRESETS)
    for preset in PRESETS:
        assert preset.archived is None or preset.policy.whole_steps


def test_every_policy_there_is_can_be_compared():
    assert set(POLICIES) == {type(preset.policy) for preset in PRESETS}
    assert sum(preset.name == SINK_WINDOW for preset in PRESETS) == 1


def test_too_few_bytes_are_refused_by_name():
    lookout = next(preset for preset in PRESETS if preset.name == LOOKOUT)
    with pytest.raises(ValueError, match=LOOKOUT):
        room(lookout, SHAPES[0], 16, 16)
    with pytest.raises(ValueError, match="at least 1"):
        Archived(Plain(), Always(), 0)
