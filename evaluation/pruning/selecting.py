"""A question-time selector on scenes that were encoded before: it chooses anew for each question.

Unlike the live path (`engine.selecting`), whose bank is what pruning kept and bounded, the bank is
all that was seen, dense; and what a selector skips leaves its temporal step under its timestamp,
emptier, so that methods differ in nothing but the tokens.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch

from core.tokens import VisualTokens, concatenate
from engine.selecting import words
from evaluation.pruning.desk import Desk
from evaluation.pruning.encoding import Encoded
from evaluation.pruning.listening import attention_row
from evaluation.pruning.watching import laid
from memory.memory import KVMemory
from models.layout import Chunk
from pruning.selectors.selector import Question, Selector


@dataclass(frozen=True, slots=True)
class Chosen:
    """What a selector read for all questions of a scene at one share, and what was answered."""

    offered: int  # visual tokens in the bank, summed over the questions
    read: int  # of them
    answers: tuple[str, ...]


def choose(
    desk: Desk, encoded: Encoded, selector: Selector, shares: Sequence[float]
) -> list[Chosen]:
    """For each share of the bank the answer to each question, in the order of `encoded.posed`.

    Args:
        desk: answers as many questions at once as it has room for memories.
        encoded: the scene.
        selector: the method.
        shares: of the bank's visual tokens, each within (0, 1].

    Raises:
        LookoutError: if an answer failed.
    """
    offered, read = 0, [0 for _ in shares]
    said: list[list[str]] = [[] for _ in shares]
    bank: VisualTokens | None = None
    for stretch in encoded.stretches:
        for tokens in stretch.segments:
            bank = tokens if bank is None else concatenate(bank, tokens)
        assert bank is not None, "a question comes after the first step"
        texts = [one.question.text for one in stretch.posed]
        questions = _heard(desk, bank, texts, attention=selector.needs_attention)
        budgets = [max(1, round(share * len(bank))) for share in shares]
        kept = [
            (bank.select(*selector.select(bank, question, budget)), text)
            for text, question in zip(texts, questions, strict=True)
            for budget in budgets
        ]
        for number, answer in enumerate(_answers(desk, kept)):
            said[number % len(shares)].append(answer)
            read[number % len(shares)] += len(kept[number][0])
        offered += len(bank) * len(texts)
    return [Chosen(offered, n, tuple(words)) for n, words in zip(read, said, strict=True)]


def _answers(desk: Desk, asked: Sequence[tuple[VisualTokens, str]]) -> list[str]:
    """The answer to each question from tokens of its own; as many at once as the desk has room."""
    said: list[str] = []
    for start in range(0, len(asked), desk.memories):
        together: list[tuple[KVMemory, list[str]]] = []
        try:
            for bank, text in asked[start : start + desk.memories]:
                memory = desk.open()
                together.append((memory, [text]))
                desk.remember(memory, _laid(desk, bank, memory))
            said += [answer for (answer,) in desk.answer(together)]
        finally:
            for memory, _ in together:
                memory.release()
    return said


def _laid(desk: Desk, bank: VisualTokens, memory: KVMemory) -> Iterator[Chunk]:
    steps = (bank.steps(step, step + 1) for step in range(bank.grid.t))
    return laid(desk.runner.model, steps, memory.next_position)


def _heard(
    desk: Desk, bank: VisualTokens, texts: Sequence[str], *, attention: bool
) -> list[Question]:
    """The questions as selectors hear them."""
    heard = [words(desk.runner.model, text) for text in texts]
    if not attention:
        return [Question(features) for features in heard]
    memory = desk.open()
    try:
        chunks = list(_laid(desk, bank, memory))
        desk.remember(memory, chunks)
        visual = torch.cat([torch.zeros(memory.held - sum(map(len, chunks)), dtype=torch.bool),
                            *(chunk.visual for chunk in chunks)])  # fmt: skip
        rows = [attention_row(desk, memory, text)[: memory.held][visual] for text in texts]
    finally:
        memory.release()
    return [Question(features, row) for features, row in zip(heard, rows, strict=True)]
