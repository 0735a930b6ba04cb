"""The sequence the engine feeds, laid out for training: ids, positions, and who may see what.

A clip is laid out once: the sink and its temporal steps, as memory holds them. Each question is a
row of its own that sees the sink, the window of steps it is asked about, and itself, just as at run
time it is asked of a snapshot of memory.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final

import torch
from torch import Tensor
from transformers import PreTrainedTokenizerFast

from training.architecture import PER_STEP, SIDE
from training.vocabulary import SILENT_TOKEN, SINK

SILENT: Final = -100  # no target here
_PADDING: Final = -1  # step of padding


class Tongue:
    """Words to ids and back, with the marks of the format.

    Args:
        tokenizer: of the embedded default.
    """

    def __init__(self, tokenizer: PreTrainedTokenizerFast) -> None:
        self.tokenizer = tokenizer
        self.sink = self(SINK)
        self.vision_start, self.vision_end, self.visual, self.end, self.silent = (
            tokenizer.convert_tokens_to_ids(name)
            for name in (
                "<|vision_start|>",
                "<|vision_end|>",
                "<|video_pad|>",
                "<|im_end|>",
                SILENT_TOKEN,
            )
        )
        self.ask_end = self("<|im_end|>\n<|im_start|>assistant\n")
        self.again = self("\n<|im_start|>user\n")
        self._words = lru_cache(maxsize=50_000)(self.__call__)

    def __call__(self, text: str) -> list[int]:
        """Token ids of a text."""
        return list(self.tokenizer(text, add_special_tokens=False)["input_ids"])

    def noun(self, word: str) -> int:
        """The token that says a noun within a sentence."""
        return self._words(f" {word}")[0]

    def time(self, seconds: float) -> list[int]:
        """The mark before a temporal step."""
        return self(f"<{seconds:.1f} seconds>")

    def question(self, text: str) -> list[int]:
        """A question up to where the answer begins."""
        return self._words(text) + self.ask_end

    def answer(self, text: str) -> list[int]:
        """An answer with its end; of no words, the mark of silence, which is never fed back."""
        return [*(self._words(text) if text else [self.silent]), self.end]


@dataclass(slots=True)
class Remembered:
    """A clip as memory holds it; the lists of tokens are of one length."""

    ids: list[int] = field(default_factory=list)
    base: list[int] = field(default_factory=list)  # position; of a visual token, its step's
    step: list[int] = field(default_factory=list)  # 0 sink, then from 1
    ends: list[int] = field(default_factory=list)  # where each step's <|vision_end|> stands
    after: list[int] = field(default_factory=list)  # the first free position after each step

    def add(self, ids: Sequence[int], base: Sequence[int], step: int) -> None:
        """Append tokens of one step."""
        self.ids += ids
        self.base += base
        self.step += [step] * len(ids)


def remember(tongue: Tongue, times: Sequence[float], counts: Sequence[int], gap: int) -> Remembered:
    """Lay out a clip.

    Args:
        tongue: the tokenizer.
        times: of the temporal steps, seconds.
        counts: visual tokens kept of each.
        gap: positions between the sink and the first step, as if steps between were evicted.
    """
    row = Remembered()
    row.add(tongue.sink, range(len(tongue.sink)), 0)
    p = len(tongue.sink) + gap
    for step, (time, count) in enumerate(zip(times, counts, strict=True), start=1):
        mark = [*tongue.time(time), tongue.vision_start]
        visual = p + len(mark)
        end = visual + SIDE
        base = [*range(p, visual), *[visual] * count, end]
        row.add([*mark, *[tongue.visual] * count, tongue.vision_end], base, step)
        row.ends.append(len(row.ids) - 1)
        p = end + 1
        row.after.append(p)
    return row


@dataclass(frozen=True, slots=True)
class Asked:
    """Questions asked one after the other when temporal step `step` was the newest."""

    step: int  # from 1
    turns: tuple[tuple[str, str], ...]  # question and answer
    judged: int = 0  # turns before this one are history: heard, and not learnt to be said
    about: tuple[int, ...] = ()  # cells that show what is meant, of all steps: step * 36 + cell
    names: tuple[int, int] = (SILENT, SILENT)  # colour and noun it names, from 1; 0 none
    decoupled: bool = False  # positions start at 0 instead of after the newest step
    task: int = 0  # which, for the log


def spoken(tongue: Tongue, asked: Asked) -> tuple[list[int], list[int]]:
    """Ids of the turns, and at each place the next id where that is an answer's, else `SILENT`."""
    ids: list[int] = []
    target: list[int] = []
    for turn, (question, answer) in enumerate(asked.turns):
        heard = [*(tongue.again if turn else []), *tongue.question(question)]
        said = tongue.answer(answer)
        ids += [*heard, *said]
        learnt = said if turn >= asked.judged else [SILENT] * len(said)
        target += [SILENT] * (len(heard) - 1) + learnt + [SILENT]
    return ids, target


@dataclass(frozen=True, slots=True)
class Memories:
    """Clips with equally many steps, padded."""

    ids: Tensor  # int64 [b, l]
    base: Tensor  # int64 [b, l]
    step: Tensor  # int64 [b, l]
    ends: Tensor  # int64 [b, steps]
    window: Tensor  # int64 [b], temporal steps that memory holds


@dataclass(frozen=True, slots=True)
class Questions:
    """Questions about the clips of a batch: those of a clip stand in one row, one after the other.

    Each sees the memory of its clip and itself, never another; `question_mask` sees to it.
    """

    ids: Tensor  # int64 [b, m]
    position: Tensor  # int64 [b, m]
    target: Tensor  # int64 [b, m]
    number: Tensor  # int64 [b, m], which of all questions a place belongs to; -1 padding
    step: Tensor  # int64 [b, m], the newest step of that question
    clip: Tensor  # int64 [n], which clip each question is about
    about: Tensor  # bool [n, steps * 36], cells that show what is meant
    names: Tensor  # int64 [n, 2], the colour and noun that are named
    task: Tensor  # int64 [n]


def collate(tongue: Tongue, clips: Sequence[Remembered], windows: Sequence[int]) -> Memories:
    """Clips as tensors."""
    return Memories(
        ids=_padded([clip.ids for clip in clips], tongue.tokenizer.pad_token_id),
        base=_padded([clip.base for clip in clips], 0),
        step=_padded([clip.step for clip in clips], _PADDING),
        ends=torch.tensor([clip.ends for clip in clips]),
        window=torch.tensor(windows),
    )


def collate_questions(
    tongue: Tongue, clips: Sequence[Remembered], asked: Sequence[Sequence[Asked]]
) -> Questions:
    """What is asked about each clip, as tensors."""
    rows = [_Row() for _ in clips]
    every = [(clip, one) for clip, about in enumerate(asked) for one in about]
    cells = torch.zeros(len(every), len(clips[0].ends) * PER_STEP, dtype=torch.bool)
    for number, (clip, one) in enumerate(every):
        ids, target = spoken(tongue, one)
        start = 0 if one.decoupled else clips[clip].after[one.step - 1]
        row, length = rows[clip], len(ids)
        row.ids += ids
        row.target += target
        row.position += range(start, start + length)
        row.number += [number] * length
        row.step += [one.step] * length
        cells[number, list(one.about)] = True
    return Questions(
        ids=_padded([row.ids for row in rows], tongue.tokenizer.pad_token_id),
        position=_padded([row.position for row in rows], 0),
        target=_padded([row.target for row in rows], SILENT),
        number=_padded([row.number for row in rows], _PADDING),
        step=_padded([row.step for row in rows], 0),
        clip=torch.tensor([clip for clip, _ in every]),
        about=cells,
        names=torch.tensor([one.names for _, one in every]),
        task=torch.tensor([one.task for _, one in every]),
    )


@dataclass(slots=True)
class _Row:
    ids: list[int] = field(default_factory=list)
    position: list[int] = field(default_factory=list)
    target: list[int] = field(default_factory=list)
    number: list[int] = field(default_factory=list)
    step: list[int] = field(default_factory=list)


def _padded(lists: Sequence[list[int]], value: int) -> Tensor:
    longest = max(len(one) for one in lists)
    return torch.tensor([one + [value] * (longest - len(one)) for one in lists])


def memory_mask(memories: Memories) -> Tensor:
    """Who sees whom within a clip, [b, 1, l, l]: sink, window, and what came before."""
    step = memories.step
    key, query = step[:, None, :], step[:, :, None]
    recent = (key > query - memories.window[:, None, None]) & (key >= 0)
    causal = torch.ones(step.shape[1], step.shape[1], dtype=torch.bool, device=step.device).tril()
    # Padding sees the row's start like anybody, so that no row of the softmax is empty.
    return _added(((key == 0) | recent) & causal)


def question_mask(memories: Memories, questions: Questions) -> Tensor:
    """What questions see, [b, 1, m, l + m]: sink and window of their clip, and themselves."""
    step, newest = memories.step[:, None, :], questions.step[..., None]
    window = memories.window[:, None, None]
    seen = (step == 0) | ((step > newest - window) & (step <= newest) & (step > 0))  # [b, m, l]
    same = questions.number[..., None] == questions.number[:, None, :]
    return _added(torch.cat([seen, same.tril()], dim=2))


def _added(seen: Tensor) -> Tensor:
    """A mask to be added to scores, [n, 1, m, l]: 0 where seen, minus infinity elsewhere."""
    mask = torch.zeros(seen.shape, dtype=torch.bfloat16, device=seen.device)
    return mask.masked_fill_(~seen, -torch.inf)[:, None]


def positions(memories: Memories, visual: Tensor, row: Tensor, column: Tensor) -> Tensor:
    """M-RoPE positions of clips, int64 [3, b, l].

    Args:
        memories: the layout.
        visual: bool [b, l], where visual tokens stand.
        row: int64 [n], merged-grid row of each visual token in order.
        column: int64 [n], its column.
    """
    out = memories.base.expand(3, -1, -1).clone()
    out[1][visual] += row
    out[2][visual] += column
    return out
