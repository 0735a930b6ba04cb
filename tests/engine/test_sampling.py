"""From logits to tokens: the same whichever way, and one wait for all rows."""

from __future__ import annotations

import torch

from engine.sampling import Logits, sample
from tests.card import PlayedCard, put_on_card


def rows(count: int = 4) -> torch.Tensor:
    return torch.randn(count, 50, generator=torch.Generator().manual_seed(0))


def test_each_row_says_what_it_says_alone() -> None:
    for alone, come in zip(rows(), Logits(rows()).each(), strict=True):
        assert torch.equal(come.logits, alone)
        assert come.likeliest == sample(alone, 0.0, None) == int(alone.argmax())


def test_all_rows_together_wait_once_for_the_device_and_nobody_who_does_not_ask() -> None:
    logits = rows()
    put_on_card([logits])
    with PlayedCard() as card:
        come = Logits(logits).each()
        assert not card.waits
        assert [one.likeliest for one in come] == rows().argmax(-1).tolist()
        assert sum(card.waits.values()) == 1


def test_a_seed_draws_the_same_again_and_another_something_else() -> None:
    def drawn(seed: int) -> list[int]:
        generator = torch.Generator().manual_seed(seed)
        return [sample(row, 1.5, generator) for row in rows(20)]

    assert drawn(3) == drawn(3) != drawn(4)
