"""Work in progress on the engine's thread: cameras' memories, segments and answers."""

from __future__ import annotations

import itertools
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

import torch

from core.errors import CameraError, LookoutError
from core.frames import Segment
from core.histogram import Histogram
from core.kept import KeptStep
from core.tokens import VisualTokens
from engine.bank import Bank
from engine.detokenizer import Detokenizer
from engine.lanes import Seeing
from engine.positions.line import Line
from engine.positions.scheme import Stand
from engine.recalling import Recalling, Seeking
from engine.requests import AnswerListener, Ask, NoteListener, PerceiveListener, unheard
from engine.selecting import Selecting
from engine.stretch import Stretch
from memory.memory import KVMemory
from memory.observation import Observed
from memory.scratch import Scratch
from memory.snapshot import Snapshot
from models.layout import Chunk
from pruning.online import OnlinePruner

_numbers = itertools.count(1)


def _number() -> int:
    return next(_numbers)


def detached() -> LookoutError:
    """Why a camera that was closed has no memory."""
    return CameraError("the camera was detached")


@dataclass(slots=True, eq=False)
class MemoryHandle:
    """A camera's place: made by the caller, filled and emptied on the engine's thread.

    Other threads may hold it and hand it back, nothing else; `on_their_way` is the engine's own,
    under its lock.
    """

    pruner: OnlinePruner
    number: int = field(default_factory=_number)  # whose turn it is goes by it
    memory: KVMemory | None = None  # None before it is filled and after it was released
    recalling: Recalling | None = None  # how answers read what memory gave up
    segments: deque[SegmentJob] = field(default_factory=deque)  # in order of arrival
    on_their_way: int = 0  # segments handed in and not yet told about
    held_back: int = 0  # frames of steps that the pruner has not decided about yet
    closed: bool = False
    why: LookoutError = field(default_factory=detached)  # whoever still asks is told
    renew: Callable[[], None] = lambda: None  # fills it once more, with nothing
    unnoted: Stretch = field(default_factory=Stretch)  # what came in since its newest note
    on_note: NoteListener = unheard
    selecting: Selecting | None = None  # None: answers read the memory
    bank: Bank | None = None  # what they choose from


@dataclass(slots=True, eq=False)
class SegmentJob:
    """One segment on its way into memory: seen, pruned, laid out, prefilled, remembered."""

    handle: MemoryHandle
    segment: Segment | None  # None: the fixed beginning, or what a look-ahead policy holds back
    listener: PerceiveListener
    is_sink: bool = False
    budget: int | None = None  # visual tokens per temporal step; None: as for the one before
    picture: tuple[int, int] | None = None  # (height, width) it is seen at; None: its own
    submitted: float = field(default_factory=time.monotonic)
    number: int = field(default_factory=_number)
    size: int = 0  # visual tokens it will be encoded to
    seeing: Seeing | None = None  # being encoded
    tokens: VisualTokens | None = None  # encoded, not yet pruned
    chunk: Chunk | None = None  # laid out; None until pruned
    scratch: Scratch | None = None
    observed: Observed | None = None  # of its prefill, where the memory's policy wants it
    done: int = 0  # tokens of the chunk already prefilled
    frames: int = 0
    encoded: int = 0
    kept: int = 0
    forgotten: int = 0  # tokens that memory gave up before it was prefilled
    steps: tuple[KeptStep, ...] = ()
    banked: list[VisualTokens] = field(default_factory=list)  # for the bank, one temporal step each


@dataclass(slots=True, eq=False)
class AnswerHandle:
    """One answer: made by the caller, filled and released on the engine's thread.

    `cancel` may be called from any thread, as often as one likes.
    """

    memory: MemoryHandle
    ask: Ask
    listener: AnswerListener
    submitted: float = field(default_factory=time.monotonic)
    number: int = field(default_factory=_number)
    cancelled: bool = False
    snapshot: Snapshot | None = None  # of the sink alone where a selector chooses
    bank: tuple[VisualTokens, ...] = ()  # steps that may be read, one each; until it is laid out
    seeking: Seeking | None = None  # what it reads of the archive; until it is laid out
    scratch: Scratch | None = None
    images: list[VisualTokens] | None = None  # None until encoded
    chunk: Chunk | None = None  # what is to be prefilled next
    done: int = 0
    line: Line | None = None  # numbers what it says
    position: int = 0  # of the token that is fed next, as it was planned
    stand: Stand | None = None  # where the input stood then
    t_end: float | None = None  # stream seconds of the newest step it has seen
    last: int | None = None  # token to feed; None while prefilling
    said: int = 0  # tokens generated
    first_at: float = 0.0  # monotonic seconds of the first token
    last_at: float = 0.0  # of the newest
    gaps: Histogram = field(default_factory=Histogram)  # seconds from token to token
    text: Detokenizer | None = None
    generator: torch.Generator | None = None
    over: bool = False

    @property
    def parked(self) -> bool:
        """Whether it waits for the disk: no step could do anything for it."""
        return self.chunk is None and self.seeking is not None and not self.seeking.ready
