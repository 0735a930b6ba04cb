"""The fixed beginning and the most recent steps (StreamingLLM, arXiv 2309.17453)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from core.sending import sent
from memory.policies.policy import Contents, MemoryPolicy, Retained
from memory.table import SINK, TokenTable


@dataclass(frozen=True)
class SinkWindow(MemoryPolicy):
    """Keeps the sink and as many of the most recent temporal steps as there is room for.

    Steps go whole: half a step under a timestamp of its own would be read as an emptier picture.
    """

    method: Literal["sink_window"] = "sink_window"
    whole_steps: ClassVar[bool] = True
    by_table: ClassVar[bool] = True

    def retain(self, contents: Contents, incoming: TokenTable, limit: int) -> Retained | None:
        """See `MemoryPolicy.retain`."""
        return newest_steps(contents, limit)


@dataclass(frozen=True)
class RecentSteps(MemoryPolicy):
    """Keeps the sink and the last few temporal steps, however much room there is.

    With 2 steps of 2 frames this is "last four frames", the baseline that a memory must beat
    (SimpleStream, arXiv 2604.02317).

    Attributes:
        steps: the newest, what comes in included.
    """

    steps: int = 2
    method: Literal["recent_steps"] = "recent_steps"
    whole_steps: ClassVar[bool] = True
    by_table: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if self.steps < 1:
            raise ValueError(f"steps must be at least 1, not {self.steps}")

    def retain(self, contents: Contents, incoming: TokenTable, limit: int) -> Retained | None:
        """See `MemoryPolicy.retain`."""
        held = np.unique(contents.tokens.group)
        left = self.steps - len(np.unique(incoming.group[incoming.group != SINK]))
        surplus = int((held != SINK).sum()) - max(0, left)
        return newest_steps(contents, limit, at_least=max(0, surplus))


@dataclass(frozen=True)
class RecentSeconds(MemoryPolicy):
    """Keeps the sink and a window of so many seconds (StreamingVLM, arXiv 2510.09608).

    The paper's window of text is not here: answers never enter a camera's memory. Its consecutive
    positions are what the engine does by moving the sink; the paper trains for them, stock models
    are used as they are.

    Attributes:
        seconds: before the newest step.
    """

    seconds: float = 16.0
    method: Literal["streaming_vlm"] = "streaming_vlm"
    whole_steps: ClassVar[bool] = True
    by_table: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if self.seconds <= 0:
            raise ValueError(f"seconds must be positive, not {self.seconds}")

    def retain(self, contents: Contents, incoming: TokenTable, limit: int) -> Retained | None:
        """See `MemoryPolicy.retain`."""
        times = incoming.time[~np.isnan(incoming.time)]
        if not len(times):
            return newest_steps(contents, limit)
        tokens = contents.tokens
        old = (tokens.group != SINK) & (tokens.time <= times.max() - self.seconds)
        return newest_steps(contents, limit, at_least=len(np.unique(tokens.group[old])))


def newest_steps(contents: Contents, limit: int, at_least: int = 0) -> Retained | None:
    """Whole steps go, oldest first, until each head holds at most `limit`; None if none must.

    Args:
        contents: what is held.
        limit: tokens per head.
        at_least: steps that go in any case.
    """
    known = contents.at_host
    held = known.filled.sum(-1).flatten().numpy()  # [heads]
    if not at_least and held.max() <= limit:
        return None
    groups = np.unique(contents.tokens.group[~contents.tokens.sink])
    sizes = step_sizes(contents, groups)  # [steps, heads]
    gone = at_least
    while gone < len(groups) and (held - sizes[:gone].sum(0) > limit).any():
        gone += 1
    if gone == 0:
        return None
    first = groups[gone] if gone < len(groups) else np.iinfo(np.int64).max
    stays = contents.tokens.sink | (contents.tokens.group >= first)
    return Retained(sent(known.column(stays) & known.filled, contents.rows.device))


def step_sizes(contents: Contents, groups: NDArray[np.int64]) -> NDArray[np.int64]:
    """Tokens of each step in each head, [steps, heads].

    Args:
        contents: what is held.
        groups: all steps, increasing.
    """
    places = np.searchsorted(groups, contents.tokens.group)
    places[contents.tokens.sink] = len(groups)
    known = contents.at_host
    of_slot = known.column(places).masked_fill(~known.filled, len(groups)).flatten(0, 1)
    counts = [np.bincount(head, minlength=len(groups) + 1) for head in of_slot.numpy()]
    sizes: NDArray[np.int64] = np.stack(counts, axis=1)[: len(groups)]
    return sizes
