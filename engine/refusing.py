"""What a camera cannot have here, said before anything runs."""

from __future__ import annotations

from engine.limits import Limits
from engine.recalling import Recalling
from engine.selecting import Selecting
from engine.speaking import DEFAULT, Speaking
from memory.policies.policy import MemoryPolicy


def check(
    limits: Limits,
    speaking: Speaking,
    eviction: MemoryPolicy,
    selecting: Selecting | None,
    recalling: Recalling | None,
) -> None:
    """Refuse what could not run.

    Raises:
        ValueError: saying why.
    """
    if selecting is not None:
        _check_selecting(limits, speaking, selecting)
    if recalling is not None:
        _check_recalling(limits, eviction, recalling)
    if selecting is not None and limits.noting:
        raise ValueError("answers that choose from a bank read no memory, so no notes either")
    if selecting is not None and recalling is not None:
        raise ValueError("answers that choose from a bank read no memory, so no archive either")


def _check_selecting(limits: Limits, speaking: Speaking, selecting: Selecting) -> None:
    if speaking != DEFAULT:
        raise ValueError("answers that choose from a bank read it as it is when they begin")
    room = limits.selector_budget, limits.bank_steps
    if selecting.budget > room[0] or selecting.bank_steps > room[1]:
        raise ValueError(
            f"{selecting.budget} tokens of {selecting.bank_steps} steps may be chosen, but the "
            f"limits make room for {room[0]} of {room[1]}"
        )


def _check_recalling(limits: Limits, eviction: MemoryPolicy, recalling: Recalling) -> None:
    if recalling.budget > limits.recall_budget:
        raise ValueError(
            f"answers are to recall {recalling.budget} tokens, the limits make room for "
            f"{limits.recall_budget}"
        )
    if not eviction.whole_steps:
        raise ValueError(f"{eviction.method} gives up single tokens: it needs no archive")
