"""Named ways to remember, and how large each is when all may take the same bytes.

A preset is a policy for the hot memory and, for some, an archive behind it. What is compared is
compared at equal bytes: a preset with an archive pays for it with a smaller hot memory.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from memory.codecs.block import Block
from memory.codecs.codec import Codec
from memory.codecs.plain import Plain
from memory.policies.policy import MemoryPolicy
from memory.policies.registry import POLICIES
from memory.policies.sink_window import RecentSteps, SinkWindow
from memory.pool import KVShape
from memory.recall.gate import Always, Gate, PastTense


@dataclass(frozen=True, slots=True)
class Archived:
    """What becomes of steps that the hot memory gives up.

    Args:
        codec: how they are packed.
        gate: which questions read them.
        hot: tokens of the hot memory at most, and at most half of what there is; all other bytes
            are the archive's. More would be in the way of what is seen now.
    """

    codec: Codec
    gate: Gate
    hot: int = 128

    def __post_init__(self) -> None:
        if self.hot < 1:
            raise ValueError(f"a hot memory holds at least 1 token, not {self.hot}")


@dataclass(frozen=True, slots=True)
class Preset:
    """One way to remember.

    Args:
        name: in tables and on the command line.
        policy: what a full hot memory gives up.
        archived: what becomes of it; None loses it.
    """

    name: str
    policy: MemoryPolicy
    archived: Archived | None = None


@dataclass(frozen=True, slots=True)
class Room:
    """How large a preset is.

    Args:
        capacity: tokens of the hot memory, whole pages.
        archive_bytes: of the archive at most; 0 without one.
    """

    capacity: int
    archive_bytes: int

    def bytes(self, shape: KVShape) -> int:
        """Of both together at most."""
        return self.capacity * shape.bytes_per_token + self.archive_bytes


RECENT_4: Final = "recent_4"
SINK_WINDOW: Final = "sink_window"
LOOKOUT: Final = "lookout"

PRESETS: Final[tuple[Preset, ...]] = (
    Preset(RECENT_4, RecentSteps(2)),  # temporal steps of two frames
    Preset("recent_8", RecentSteps(4)),
    Preset("recent_16", RecentSteps(8)),
    *(Preset(make().method, make()) for make in POLICIES if make is not RecentSteps),
    Preset("rekv", SinkWindow(), Archived(Plain(), Always())),
    Preset(LOOKOUT, SinkWindow(), Archived(Block(), PastTense())),
)


def room(preset: Preset, shape: KVShape, tokens: int, page_size: int) -> Room:
    """A preset in the bytes of so many tokens as they are.

    Args:
        preset: what is to be sized.
        shape: of a token.
        tokens: whose bytes hot memory and archive may take together.
        page_size: slots per page.

    Returns:
        takes all of these bytes but less than a page's.

    Raises:
        ValueError: if the hot memory would have no page.
    """
    whole = tokens // page_size * page_size
    hot = whole if preset.archived is None else min(preset.archived.hot, whole // 2)
    capacity = hot // page_size * page_size
    if capacity < page_size:
        raise ValueError(f"{tokens} tokens leave {preset.name} no page of {page_size}")
    archive = 0 if preset.archived is None else (whole - capacity) * shape.bytes_per_token
    return Room(capacity, archive)
