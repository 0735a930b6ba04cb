"""Free Video-LLM (arXiv 2410.10441): the asked-for frames in their asked-for part, the rest coarse.

Slow path: the steps whose mean token has the highest cosine with the question, 3 of them; in each,
the floor(alpha * n) tokens of highest cosine give a centre, their mean place, and a box of
(round(h sqrt(alpha)), round(w sqrt(alpha))) around it, moved inside the picture, is read. alpha is
0.8, as the code was released (0.6 is also reported). Fast path: 50 evenly spread steps, averaged to
4 x 4 each.

Deviations: cosines are with the mean of the question's embeddings, where the published ones are in
a CLIP space of their own; the fast path takes steps that the slow one did not, and a cell's mean
stands at its first token; the middle path (5 evenly spread frames) is left out. The published
number of tokens is fixed by the parameters. Here that number is the most that is read, and where
the budget is lower, half of it goes to the boxes, the best step first and in the last one that does
not fit the tokens of highest cosine, and the fast path takes fewer steps.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar, Literal, Self

import torch
import torch.nn.functional as F
from torch import Tensor

from core.tokens import Grid, Merge
from pruning.policy import Spending
from pruning.ranking import best, evenly
from pruning.selectors.selector import Bank, Question, Selection, Selector

CELLS = 4  # rows and columns that the fast path averages a step to
EMPTY = -2.0  # below any cosine


@dataclass(frozen=True)
class FreeVideoLLM(Selector):
    """Reads a part of the steps the question is about, and all others coarsely.

    Args:
        alpha: share of a step's area that is read in the slow path, in (0, 1].
        slow: steps of the slow path, at least 1.
        fast: steps of the fast path, at least 0.
    """

    alpha: float = 0.8
    slow: int = 3
    fast: int = 50
    method: Literal["free-video-llm"] = "free-video-llm"
    spending: ClassVar[Spending] = Spending.OWN

    def __post_init__(self) -> None:
        if not 0 < self.alpha <= 1:
            raise ValueError(f"alpha must lie in (0, 1], not {self.alpha}")
        if self.slow < 1 or self.fast < 0:
            raise ValueError(f"not {self.slow} slow and {self.fast} fast steps")

    @classmethod
    def variants(cls, width: int) -> tuple[Self, ...]:
        """Both reported shares."""
        return cls(), cls(alpha=0.6)

    def choose(self, bank: Bank, question: Question, budget: int) -> Selection:
        """See `Selector.choose`."""
        asked = question.features.mean(dim=0)
        cosines = F.cosine_similarity(bank.features, asked, dim=-1)  # [n]
        chosen = best_steps(bank, asked, self.slow)
        boxes = [_box(bank, cosines, step, self.alpha) for step in chosen]
        others = [step for step in _values(bank.step) if step not in chosen]
        cells = _cells(bank, others, self.fast)
        slow = _filled(boxes, cosines, max(budget - len(cells), math.ceil(budget / 2)))
        left = budget - len(slow)
        if len(cells) > left:
            cells = _cells(bank, others, max(left // CELLS**2, 1))
        cells = [cells[place] for place in evenly(min(left, len(cells)), len(cells)).tolist()]
        return _together(slow, cells)


def best_steps(bank: Bank, asked: Tensor, count: int) -> list[int]:
    """Up to `count` steps whose mean token has the highest cosine with `asked` [d], best first."""
    sums = torch.zeros(bank.grid.t, bank.features.shape[1], device=bank.features.device)
    sums.index_add_(0, bank.step, bank.features)
    there = bank.step.bincount(minlength=bank.grid.t) > 0
    scores = F.cosine_similarity(sums, asked, dim=-1).masked_fill(~there, EMPTY)
    order: list[int] = scores.argsort(descending=True, stable=True).tolist()
    return order[: min(count, int(there.sum()))]


def corner(places: Tensor, grid: Grid, alpha: float) -> tuple[int, int, int, int]:
    """The box around the mean of places: its top, left, height and width, inside the picture.

    Args:
        places: int64 [k], row * w + column.
        grid: of the picture.
        alpha: share of the area.
    """
    height = max(round(grid.h * math.sqrt(alpha)), 1)
    width = max(round(grid.w * math.sqrt(alpha)), 1)
    row = float((places // grid.w).double().mean())
    column = float((places % grid.w).double().mean())
    top = min(max(round(row - (height - 1) / 2), 0), grid.h - height)
    left = min(max(round(column - (width - 1) / 2), 0), grid.w - width)
    return top, left, height, width


def _box(bank: Bank, cosines: Tensor, step: int, alpha: float) -> Tensor:
    """Rows of the bank inside a step's box, int64, increasing; at least one."""
    rows = (bank.step == step).nonzero()[:, 0]
    places = bank.index[rows] % bank.grid.per_step
    asked = best(cosines[rows], max(math.floor(len(rows) * alpha), 1))
    top, left, height, width = corner(places[asked], bank.grid, alpha)
    row, column = places // bank.grid.w, places % bank.grid.w
    inside = (row >= top) & (row < top + height) & (column >= left) & (column < left + width)
    return rows[inside] if bool(inside.any()) else rows[best(cosines[rows], 1)]


def _filled(boxes: list[Tensor], cosines: Tensor, room: int) -> Tensor:
    """Rows of the boxes, in their order, until `room` is used up; int64."""
    taken: list[Tensor] = []
    for rows in boxes:
        if len(rows) > room:
            rows = rows[best(cosines[rows], room)]
        taken.append(rows)
        room -= len(rows)
    return torch.cat(taken)


def _cells(bank: Bank, steps: list[int], count: int) -> list[Tensor]:
    """Rows of each cell of `count` of the steps, evenly spread, in the order of the stream."""
    cells: list[Tensor] = []
    for place in evenly(min(count, len(steps)), len(steps)).tolist():
        rows = (bank.step == steps[place]).nonzero()[:, 0]
        where = bank.index[rows] % bank.grid.per_step
        down = where // bank.grid.w * CELLS // bank.grid.h
        across = where % bank.grid.w * CELLS // bank.grid.w
        cell = down * CELLS + across
        cells += [rows[cell == one] for one in _values(cell)]
    return cells


def _together(slow: Tensor, cells: list[Tensor]) -> Selection:
    """The rows of the slow path as they are, and the mean of each cell at its first row."""
    anchors = torch.tensor([int(cell[0]) for cell in cells], dtype=torch.int64, device=slow.device)
    rows = torch.cat([slow, anchors]).sort().values
    if not cells:
        return Selection(rows)
    sizes = torch.tensor([len(cell) for cell in cells], device=slow.device)
    source = torch.cat(cells)
    target = torch.searchsorted(rows, anchors).repeat_interleave(sizes)
    return Selection(rows, Merge(source, target, (1.0 / sizes.float()).repeat_interleave(sizes)))


def _values(numbers: Tensor) -> list[int]:
    """The values that occur among natural numbers, increasing."""
    values: list[int] = numbers.bincount().nonzero()[:, 0].tolist()
    return values
