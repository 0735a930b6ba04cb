"""Blocks are laid side by side on a card that is played: nothing is refused, one wait in all."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from memory.codecs.block import Block
from memory.packed.blocks import Blocks
from memory.pool import KVShape
from memory.recall.parcel import unwrap, wrap
from memory.recall.step import Step
from tests.card import CARD, PlayedCard, on_card, put_on_card
from tests.memory.packed.scenes import SHIFT, rotation, run

SHAPE = KVShape(2, 2, 16)


def on_the_card(steps: list[Step]) -> list[Step]:
    """The same, their runs cut out of bytes there."""
    layout, data = wrap(steps[0].run)
    put_on_card([data])
    with PlayedCard():
        there = unwrap(layout, data)
    return [replace(step, run=there) for step in steps]


@pytest.mark.parametrize("gone", [(), (3, 70)])
def test_blocks_of_several_runs_are_laid_out_with_one_wait_as_on_the_host(gone):
    steps = run(Block(), [30, 50], SHAPE, 1, gone) + run(Block(), [64], SHAPE, 2)
    bases = [step.base + SHIFT for step in steps]
    wanted = Blocks.of(steps, bases, rotation(16), torch.device("cpu"))
    there = on_the_card(steps[:2]) + on_the_card(steps[2:])
    turning = rotation(16)
    with PlayedCard():  # frequencies go to the card once, for good
        turning.angles(torch.zeros(1, 3, dtype=torch.int64, device=CARD))
    card = PlayedCard()
    with card:
        found = Blocks.of(there, bases, turning, CARD)
        slots = torch.arange(len(found), device=CARD)
        read = [*found.turns, found.read, found.targets(slots), *found.decoded(1)]
        assert not card.refused, card.refused
        assert sum(card.waits.values()) == 1, card.waits
    assert all(map(on_card, read))
    host = [*wanted.turns, wanted.read, wanted.targets(slots), *wanted.decoded(1)]
    for one, other in zip(read, host, strict=True):
        assert torch.equal(one, other)
    assert torch.equal(found.positions, wanted.positions)
    for name, plane in wanted.keys.items():
        assert torch.equal(found.keys[name], plane)
