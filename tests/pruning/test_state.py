"""Saving states: any frozen dataclass of tensors, numbers and such dataclasses."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
import torch
from torch import Tensor

from pruning.state import restore, save


@dataclass(frozen=True)
class Inner:
    count: int = 0
    share: float = 0.5


@dataclass(frozen=True, eq=False)
class Outer:
    before: Tensor | None = None
    inner: Inner = field(default_factory=Inner)


def test_a_nested_state_comes_back_as_it_was():
    saved = save(Outer(torch.arange(3.0), Inner(7, 0.25)))
    assert list(saved) == ["before", "inner.count", "inner.share"]
    again = restore(Outer(), saved)
    assert again.inner == Inner(7, 0.25)
    assert torch.equal(again.before, torch.arange(3.0))


def test_what_was_absent_is_absent_again():
    assert restore(Outer(torch.zeros(1)), save(Outer())).before is None
    assert restore(None, save(None)) is None


@pytest.mark.parametrize("start", [None, Outer()])
@pytest.mark.parametrize("name", ["after", "inner.colour"])
def test_what_another_method_saved_is_refused(start, name):
    with pytest.raises(ValueError, match=name.split(".")[-1]):
        restore(start, {name: 1})


def test_a_field_that_cannot_be_saved_is_refused():
    with pytest.raises(TypeError, match="share of Inner is a list"):
        save(Inner(share=[1]))
