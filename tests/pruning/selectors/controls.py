"""A positive control of every selector: a token that answers the question must be read.

A selector that does not listen says so with `DEAF`, and the laws check that it does lose the plant.
"""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor

from tests.pruning.scenes import H, W

# Changes features [n, d] and attention [n] at one row for question features [q, d], in place.
Plant = Callable[[Tensor, Tensor, Tensor, int], None]


def asked_for(features: Tensor, attention: Tensor, question: Tensor, row: int) -> None:
    """A token that looks like a word of the question."""
    features[row] = question[0]


def looked_at(features: Tensor, attention: Tensor, question: Tensor, row: int) -> None:
    """A token that the question's last word looks at."""
    attention[row] += 1.0


def asked_for_around(features: Tensor, attention: Tensor, question: Tensor, row: int) -> None:
    """A corner of a step that looks like the question, and in it the token that does most."""
    step, place = divmod(row, H * W)
    top, left = min(place // W, H - 3), min(place % W, W - 4)
    picture = features[step * H * W : (step + 1) * H * W].view(H, W, -1)
    asked = question.mean(dim=0)
    picture[top : top + 3, left : left + 4] = asked + 0.1
    features[row] = asked


DEAF = None
UNTRAINED = DEAF  # hears the question but has not learned what it means: no better than chance

CONTROLS: dict[str, Plant | None] = {
    "even": DEAF,
    "closest": asked_for,
    "holitom-inner": looked_at,
    "fastv": looked_at,
    "free-video-llm": asked_for_around,
    "emcompress": asked_for,
    "cacovid": UNTRAINED,
    "qtsplus": asked_for,
}
