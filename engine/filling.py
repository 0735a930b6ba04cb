"""Makes cameras' memories, on the engine's thread."""

from __future__ import annotations

from dataclasses import dataclass

from core.errors import CapacityExceeded, LookoutError
from engine.bank import Bank
from engine.jobs import MemoryHandle, SegmentJob
from engine.limits import Limits
from engine.requests import PerceiveListener
from engine.steps import Steps
from engine.work import Work
from memory.memory import KVMemory
from memory.policies.policy import MemoryPolicy
from memory.pool import PagePool
from memory.saving.state import MemoryState
from models.vlm import VideoLanguageModel


@dataclass(frozen=True, slots=True, eq=False)
class Filling:
    """Fills handles.

    Args:
        model: what remembers.
        pool: where all memories lie.
        limits: of each of them.
        work: where they are entered.
        steps: begin or restore them.
    """

    model: VideoLanguageModel
    pool: PagePool
    limits: Limits
    work: Work
    steps: Steps

    def fill(
        self,
        handle: MemoryHandle,
        eviction: MemoryPolicy,
        restored: MemoryState | None,
        told: PerceiveListener,
    ) -> None:
        """Give a camera a memory; what cannot be made takes nothing with it.

        Args:
            handle: that is empty.
            eviction: what a full memory gives up.
            restored: what it holds from the start; None: the fixed beginning alone.
            told: once, when it is ready or why it cannot be.
        """
        limits, recalling = self.limits, handle.recalling
        reach = limits.reach(self.model.reach)
        archive = None
        try:
            self._room_for_one()
            archive = recalling.archive(self.model) if recalling is not None else None
            handle.memory = KVMemory(
                self.pool, limits.capacity, eviction, self.model.rotation, archive, reach,
                limits.noting,
            )  # fmt: skip
        except BaseException as error:
            if archive is not None:
                archive.close()
            if not isinstance(error, LookoutError):
                raise
            handle.closed = True
            told(error)
            return
        if handle.selecting is not None:
            handle.bank = Bank(handle.selecting.bank_steps)
        self.work.memories.append(handle)
        if restored is not None:
            self.steps.restore(handle, restored, told)
            return
        if archive is not None:
            archive.begin()
        handle.segments.append(SegmentJob(handle, None, told, is_sink=True))

    def _room_for_one(self) -> None:
        """Small memories would fit beyond the limit, into pages that answers need.

        Raises:
            CapacityExceeded: if as many memories as there may be are open.
        """
        if len(self.work.memories) >= self.limits.cameras:
            raise CapacityExceeded(
                f"{self.limits.cameras} cameras are watched, and memory is set aside for no more: "
                "detach one, or raise engine.max_cameras"
            )
