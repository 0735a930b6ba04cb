"""The sequence the engine feeds, laid out for training: ids, positions, and who may see what.

One row holds a clip and several questions about it. Each question sees the sink, the window of
temporal steps it is asked about, and itself: as if it were the only one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final

import torch
from torch import Tensor
from transformers import PreTrainedTokenizerFast

from training.architecture import SIDE
from training.vocabulary import SINK

SILENT: Final = -100  # no target here
_PADDING: Final = -1  # group of padding


@dataclass(frozen=True, slots=True)
class Asked:
    """Questions asked one after the other when temporal step `step` was the newest."""

    step: int  # counted from 0
    turns: tuple[tuple[str, str], ...]  # question and answer


@dataclass(slots=True)
class Row:
    """One laid-out clip; all lists are of one length."""

    ids: list[int] = field(default_factory=list)
    base: list[int] = field(default_factory=list)  # position; of a visual token, its step's
    group: list[int] = field(default_factory=list)  # 0 sink, 1.. steps, then questions
    first: list[int] = field(default_factory=list)  # oldest step seen from here
    last: list[int] = field(default_factory=list)  # newest step seen from here
    target: list[int] = field(default_factory=list)  # the next token, where it is an answer's
    ends: list[int] = field(default_factory=list)  # where each step's <|vision_end|> stands

    def add(
        self, ids: Sequence[int], base: Sequence[int], group: int, sees: tuple[int, int]
    ) -> None:
        """Append tokens of one group."""
        self.ids += ids
        self.base += base
        self.group += [group] * len(ids)
        self.first += [sees[0]] * len(ids)
        self.last += [sees[1]] * len(ids)
        self.target += [SILENT] * len(ids)


class Tongue:
    """Words to ids and back, with the marks of the format.

    Args:
        tokenizer: of the embedded default.
    """

    def __init__(self, tokenizer: PreTrainedTokenizerFast) -> None:
        self.tokenizer = tokenizer
        self.sink = self(SINK)
        self.vision_start, self.vision_end, self.visual, self.end = (
            tokenizer.convert_tokens_to_ids(name)
            for name in ("<|vision_start|>", "<|vision_end|>", "<|video_pad|>", "<|im_end|>")
        )
        self.ask_end = self("<|im_end|>\n<|im_start|>assistant\n")
        self.again = self("\n<|im_start|>user\n")
        self._words = lru_cache(maxsize=50_000)(self.__call__)

    def __call__(self, text: str) -> list[int]:
        """Token ids of a text."""
        return list(self.tokenizer(text, add_special_tokens=False)["input_ids"])

    def time(self, seconds: float) -> list[int]:
        """The mark before a temporal step."""
        return self(f"<{seconds:.1f} seconds>")

    def question(self, text: str) -> list[int]:
        """A question up to where the answer begins."""
        return self._words(text) + self.ask_end

    def answer(self, text: str) -> list[int]:
        """An answer with its end."""
        return [*self._words(text), self.end]


def lay_out(
    tongue: Tongue,
    times: Sequence[float],
    counts: Sequence[int],
    asked: Sequence[Asked],
    window: int,
    gap: int,
) -> Row:
    """One row.

    Args:
        tongue: the tokenizer.
        times: of the temporal steps, seconds.
        counts: visual tokens kept of each.
        asked: the questions.
        window: temporal steps that memory holds, including the newest.
        gap: positions between the sink and the first step, as if steps between were evicted.
    """
    row = Row()
    row.add(tongue.sink, range(len(tongue.sink)), 0, (1, 0))
    p = len(tongue.sink) + gap
    after = []
    for step, (time, count) in enumerate(zip(times, counts, strict=True), start=1):
        mark = [*tongue.time(time), tongue.vision_start]
        visual = p + len(mark)
        end = visual + SIDE
        base = [*range(p, visual), *[visual] * count, end]
        sees = (max(1, step - window + 1), step)
        row.add([*mark, *[tongue.visual] * count, tongue.vision_end], base, step, sees)
        row.ends.append(len(row.ids) - 1)
        p = end + 1
        after.append(p)
    for number, one in enumerate(asked, start=len(times) + 1):
        _add_turns(tongue, row, one, after[one.step], number, window)
    return row


def _add_turns(tongue: Tongue, row: Row, asked: Asked, start: int, group: int, window: int) -> None:
    newest = asked.step + 1
    sees = (max(1, newest - window + 1), newest)
    p = start
    for turn, (question, answer) in enumerate(asked.turns):
        ids = [*(tongue.again if turn else []), *tongue.question(question)]
        said = tongue.answer(answer)
        row.add([*ids, *said], range(p, p + len(ids) + len(said)), group, sees)
        row.target[-len(said) - 1 : -1] = said
        p += len(ids) + len(said)


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows padded to one length."""

    ids: Tensor  # int64 [b, l]
    base: Tensor  # int64 [b, l]
    target: Tensor  # int64 [b, l]
    mask: Tensor  # bool [b, 1, l, l], True where row i sees column j
    ends: Tensor  # int64 [b, steps]


def collate(rows: Sequence[Row], pad: int) -> Rows:
    """Rows with equally many steps as tensors; padding sees only itself."""
    longest = -(-max(len(row.ids) for row in rows) // 16) * 16

    def padded(lists: list[list[int]], value: int) -> Tensor:
        return torch.tensor([x + [value] * (longest - len(x)) for x in lists])

    group = padded([row.group for row in rows], _PADDING)
    first = padded([row.first for row in rows], 1)
    last = padded([row.last for row in rows], 0)
    return Rows(
        ids=padded([row.ids for row in rows], pad),
        base=padded([row.base for row in rows], 0),
        target=padded([row.target for row in rows], SILENT),
        mask=_mask(group, first, last)[:, None],
        ends=torch.tensor([row.ends for row in rows]),
    )


def _mask(group: Tensor, first: Tensor, last: Tensor) -> Tensor:
    key, query = group[:, None, :], group[:, :, None]
    in_window = (key >= first[:, :, None]) & (key <= last[:, :, None])
    sink = (key == 0) & (query != _PADDING)
    earlier = torch.ones(group.shape[1], group.shape[1], dtype=torch.bool).tril()
    return (sink | in_window | (key == query)) & earlier


def positions(rows: Rows, visual: Tensor, row: Tensor, column: Tensor) -> Tensor:
    """M-RoPE positions, int64 [3, b, l].

    Args:
        rows: the layout.
        visual: bool [b, l], where visual tokens stand.
        row: int64 [n], merged-grid row of each visual token in order.
        column: int64 [n], its column.
    """
    out = rows.base.expand(3, -1, -1).clone()
    out[1][visual] += row
    out[2][visual] += column
    return out
