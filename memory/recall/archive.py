"""The archive: temporal steps that the hot memory gave up, frozen, in tiers of so many bytes each.

Steps are held as they are until they fill blocks of the codec, and are then frozen together; each
has a landmark, the mean of its bare visual keys, by which a question finds it again. Runs get older
downwards: the device's bytes, host memory, disk (`memory.recall.tiers`). When there is no room
farther down, the run goes whose neighbours in time are closest for its age: the recent past stays
dense, the far past gets thinner, and no stretch of it is emptied first. The oldest run stays.

Bytes of runs never change, only where they lie does, so what a question has opened stays as it was.
What cannot be put away is forgotten and counted, whatever the reason. Belongs to one thread, which
never waits for the disk.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Sequence
from typing import Final

import numpy as np
import torch
from torch import Tensor

from core.repeated import Repeated
from memory.codecs.block import TOKENS
from memory.codecs.codec import Codec
from memory.codecs.frozen import Frozen, freeze, remaining
from memory.codecs.plain import Plain
from memory.pool import KVShape
from memory.recall.arena import Arena
from memory.recall.disk import OVERHEAD, Disk
from memory.recall.gathering import chosen, fills_blocks, one_after_the_other, parted
from memory.recall.index import Index, Trace
from memory.recall.kept import Archived, Away, Kept
from memory.recall.opening import Opening
from memory.recall.parcel import expected, unwrap, wrap
from memory.recall.thinning import least_missed
from memory.recall.tiers import Holdings, Level, Run, Span, Tier, Tiers, slot_for
from memory.rotation import Rotation
from memory.table import TokenTable

log = logging.getLogger("lookout.archive")

_LANDMARKS: Final = 0.5  # of the device's bytes at most


class Archive:
    """A camera's frozen past.

    Args:
        codec: how keys and values are packed.
        rotation: how the model turns its keys.
        shape: of one token's keys and values.
        capacity: bytes on the device, set aside now: runs, and the landmarks of all tiers.
        device: where the model's memory is.
        host_bytes: of host memory, set aside now; 0 for none.
        disk: where runs go from there; None: nowhere.

    Raises:
        CapacityExceeded: if there is no room for the bytes.
        ValueError: if there is a disk and no host memory, by way of which runs go there.
    """

    def __init__(
        self,
        codec: Codec,
        rotation: Rotation,
        shape: KVShape,
        capacity: int,
        device: torch.device | str = "cpu",
        *,
        host_bytes: int = 0,
        disk: Disk | None = None,
    ) -> None:
        if capacity < 1 or host_bytes < 0:
            raise ValueError(f"no archive of {capacity} bytes, {host_bytes} on the host")
        self.capacity = capacity
        self._codec = codec
        self._rotation = rotation
        self._shape = shape
        slot = slot_for(expected(codec, shape, TOKENS))
        arena = Arena(capacity, slot, device)
        host = Arena(host_bytes, slot, pinned=arena.device.type == "cuda") if host_bytes else None
        self._tiers = Tiers(arena, host, disk)
        self._index = Index(arena, shape)
        self._runs: list[Run] = []  # oldest first
        self._gathering: list[Run] = []  # steps alone, each as it is
        self._begun = False
        self._failures = Repeated(log)
        self.forgotten = 0  # temporal steps, the lost ones included
        self.lost = 0  # temporal steps whose files were not as they were written

    @property
    def steps(self) -> tuple[Trace, ...]:
        """All steps, oldest first."""
        return tuple(t for run in (*self._runs, *self._gathering) for t in self._index.of(run))

    @property
    def holds_any(self) -> bool:
        """Whether there are steps."""
        return len(self._index) > 0

    @property
    def bytes(self) -> int:
        """Bytes of device and host memory that are taken now."""
        return sum(each.bytes for each in self.levels if each.tier is not Tier.DISK)

    @property
    def levels(self) -> tuple[Level, ...]:
        """What each tier holds."""
        return self._tiers.levels

    @property
    def holdings(self) -> Holdings:
        """What it holds, for people."""
        return Holdings(self.levels, len(self._index), self.forgotten, self.lost)

    @property
    def settled(self) -> bool:
        """Whether nothing is being written or removed; notes what was."""
        self._tiers.settle()
        return self._tiers.settled

    def begin(self, known: Collection[Away] = ()) -> None:
        """Remove what an earlier archive left on disk, except what is `known`. Once."""
        if not self._begun and self._tiers.disk is not None:
            self._tiers.disk.begin([each.file for each in known])
        self._begun = True

    def put(self, keys: Tensor, values: Tensor, tokens: TokenTable) -> None:
        """Take whole steps that the hot memory gives up, in order of time.

        Those that cannot be taken are forgotten: the hot memory has given them up already.

        Args:
            keys: as they are stored, rotated, [layers, kv_heads, n, d].
            values: [layers, kv_heads, n, d].
            tokens: what is known of them, [n]; no sink.
        """
        known = len(self._index) + self.forgotten + len(np.unique(tokens.group))
        try:
            self._put(keys, values, tokens)
        except torch.AcceleratorError:
            raise  # nothing on the device is as it was
        except Exception as error:
            self._failures.tell("archived steps were lost", error)
            self.forgotten += known - len(self._index) - self.forgotten

    def _put(self, keys: Tensor, values: Tensor, tokens: TokenTable) -> None:
        self.begin()
        self._tiers.settle()
        at = torch.from_numpy(tokens.positions)
        bare = self._rotation.take(keys, at).to(keys.dtype)
        for group in np.unique(tokens.group):
            rows = np.flatnonzero(tokens.group == group)
            self._gather(chosen(bare, rows), chosen(values, rows), tokens.rows(rows))
        while fills_blocks(sum(run.layout.tokens for run in self._gathering)):
            self._freeze()
        self._sink_to_disk()

    def find(self, queries: Tensor, budget: int, before: int | None = None) -> tuple[Trace, ...]:
        """The steps that a question reads, in order of time.

        Args:
            queries: of its words, without positions, [layers, words, heads, d].
            budget: tokens to read at most.
            before: position before which they must lie; None: anywhere.
        """
        return self._index.find(queries, budget, before)

    def open(self, steps: Sequence[Trace]) -> Opening:
        """Begin to read some steps, whatever becomes of them meanwhile; see `finish`."""
        runs = dict.fromkeys(step.run for step in steps)
        return Opening(
            tuple((step.run, step.span) for step in steps),
            {run: (run.tier, self._tiers.read(run)) for run in runs},
        )

    def finish(self, opening: Opening) -> None:
        """Count what came, and forget the runs whose files are not as they were written.

        What has not come by now does not come any more.
        """
        opening.abandon()
        for tier in opening.came():
            self._tiers.note_read(tier)
        if refused := sum(len(run.spans) for run in opening.refused()):
            log.warning("%d archived steps cannot be read from disk now", refused)
        for run, error in opening.damaged():
            if run in self._index and run.tier is Tier.DISK:
                steps = len(run.spans)
                log.warning("%d archived steps from %.1f s are lost: %s", steps, run.time, error)
                self.lost += steps
                self._forget(run)

    def state(self) -> Archived:
        """All that is held, copied to the host: what `restore` makes an archive of again."""
        self._tiers.settle()
        marks = self._index.landmarks([*self._runs, *self._gathering])
        runs = [self._kept(run, marks[run]) for run in self._runs if run.tier is not Tier.DISK]
        alone = [self._kept(run, marks[run]) for run in self._gathering]
        away = [
            Away(run.file, run.layout.tokens, run.layout.wide, run.spans, marks[run])
            for run in self._runs
            if run.file is not None
        ]
        return Archived(self._codec, tuple(runs), tuple(alone), self.forgotten, tuple(away))

    def restore(self, state: Archived) -> None:
        """Hold what an archive of the same codec held, or as much of it as there are bytes for.

        Runs on disk are taken over without looking: one that is not there is lost when it is read.
        """
        self.forgotten = state.forgotten
        self.begin(state.away if self._tiers.disk is not None else ())
        # One that the disk did not take at first may lie in memory between others that it took.
        runs: list[Away | Kept] = [*state.away, *state.runs]
        for each in sorted(runs, key=lambda run: run.spans[0].time):
            if isinstance(each, Away):
                self._adopt(each)
            else:
                self._take_back(each, self._runs)
        for kept in state.alone:
            self._take_back(kept, self._gathering)
        if self._runs or self._gathering:
            self._thin_disk(0)

    def close(self) -> None:
        """Write no more, and leave nothing on disk unless it is to last. Idempotent."""
        self._tiers.close()

    def join(self, timeout: float) -> bool:
        """Wait after `close`, `timeout` seconds at most, until the disk is left; whether it is."""
        return self._tiers.disk is None or self._tiers.disk.join(timeout)

    def _gather(self, bare: Tensor, values: Tensor, known: TokenTable) -> None:
        """Hold one step alone, as it is."""
        shown = chosen(bare, np.flatnonzero(known.visual)) if known.visual.any() else bare
        base, end = int(known.positions.min()), int(known.positions.max()) + 1
        layout, data = wrap(freeze(Plain(), bare, values, torch.from_numpy(known.positions)))
        run = Run(layout, (Span(0, len(known), float(known.time[0]), base, end - base),))
        landmark = shown.float().mean(2).to(torch.bfloat16)
        if self._enter(run, data, landmark[None]):
            self._gathering.append(run)

    def _enter(self, run: Run, data: Tensor, landmarks: Tensor) -> bool:
        """Take a new run whole or not at all; whether it is not forgotten."""
        try:
            return self._mark(run, landmarks) and self._hold(run, data)
        except BaseException:
            if run in self._index:
                self._index.drop(run)  # it lies nowhere
            raise

    def _freeze(self) -> None:
        """Freeze the oldest steps that are alone as one run."""
        alone, later = parted(self._gathering)
        frozen = [self._frozen(run) for run in alone]
        found = [each.thaw(rows) for each, rows in zip(frozen, remaining(frozen), strict=True)]
        keys, values = (
            torch.cat(each, 2) for each in zip(*((x.keys, x.values) for x in found), strict=True)
        )
        positions = torch.cat([x.positions for x in found])
        layout, data = wrap(freeze(self._codec, keys, values, positions))
        run, self._gathering = Run(layout, one_after_the_other(alone)), []
        self._index.join(alone, run)
        for each in alone:
            self._tiers.drop(each)
        try:
            if self._hold(run, data):
                self._runs.append(run)
        except BaseException:
            self._unmark(run)  # what it was made of is gone
            raise
        finally:
            self._gathering = later  # newer than the run: what makes room for it leaves them alone

    def _hold(self, run: Run, data: Tensor) -> bool:
        """Find a place for a run that has its landmarks; else it is forgotten."""
        if self._make_room(lambda: self._tiers.device.fits(len(data)), run.spans[-1].time):
            self._tiers.put(run, data)
            return True
        if self._tiers.put_lower(run, data):
            return True
        self._unmark(run)
        return False

    def _mark(self, run: Run, landmarks: Tensor) -> bool:
        """Put a new run's landmarks beside the others; else its steps are forgotten."""
        self._index.begin(run)
        most, now = _LANDMARKS * self.capacity, run.spans[-1].time
        for span, landmark in zip(run.spans, landmarks, strict=True):
            while self._index.next_bytes > most and self._thin(self._runs, now):
                pass
            if not self._make_room(self._index.fits, now):
                self._unmark(run)
                return False
            self._index.add(run, span, landmark)
        return True

    def _unmark(self, run: Run) -> None:
        """Forget the steps of a run that lies nowhere (any more)."""
        self.forgotten += len(run.spans)
        self._index.drop(run)

    def _make_room(self, fits: Callable[[], bool], now: float) -> bool:
        """Move down or forget until it fits; whether it does."""
        while not fits():
            if not (self._sink() or self._freeze_early() or self._give_up(now)):
                return False
        return True

    def _sink(self) -> bool:
        """Move the oldest run on the device to the host, if there is room."""
        oldest = next((run for run in self._runs if run.tier is Tier.DEVICE), None)
        return oldest is not None and self._tiers.sink(oldest)

    def _freeze_early(self) -> bool:
        """Freeze steps before they fill blocks, where they can then move down."""
        if self._tiers.host is None or not self._gathering:
            return False
        self._freeze()
        return True

    def _give_up(self, now: float) -> bool:
        """Forget, in memory, the run that is missed least, or without runs the oldest step."""
        if self._thin([run for run in self._runs if run.tier is not Tier.DISK], now):
            return True
        if self._gathering:
            run = self._gathering.pop(0)
            self._tiers.drop(run)
            self._unmark(run)
            return True
        return False

    def _thin(self, among: Sequence[Run], now: float) -> bool:
        """Forget the run that is missed least; False if all of them are being written."""
        candidates = {run for run in among if run.writing is None}
        places = [i for i, run in enumerate(self._runs) if run in candidates]
        gone = least_missed([*(run.time for run in self._runs), now], places)
        if gone is None:
            return False
        self._forget(self._runs[gone])
        return True

    def _forget(self, run: Run) -> None:
        self._runs.remove(run)
        self._tiers.drop(run)
        self._unmark(run)

    def _sink_to_disk(self) -> None:
        """Begin to write what fills the host, and make room on disk for it."""
        disk = self._tiers.disk
        while disk is not None and self._tiers.wants_disk():
            waiting = (r for r in self._runs if r.tier is Tier.HOST and r.writing is None)
            run = next(waiting, None)
            if run is None:
                return
            if not self._thin_disk(run.layout.nbytes + OVERHEAD):
                return
            if not disk.fits(run.layout.nbytes):
                return  # what was forgotten is not removed yet
            self._tiers.write(run)

    def _thin_disk(self, nbytes: int) -> bool:
        """Forget runs on disk until there will be room; False if only the oldest is left."""
        disk = self._tiers.disk
        while disk is not None and disk.used - disk.leaving + nbytes > disk.capacity:
            now = (self._gathering or self._runs)[-1].time
            if not self._thin([run for run in self._runs[1:] if run.tier is Tier.DISK], now):
                return False
        return True

    def _adopt(self, away: Away) -> None:
        if self._tiers.disk is None:
            self.forgotten += len(away.spans)
            return
        layout = expected(self._codec, self._shape, away.tokens, away.wide)
        run = Run(layout, away.spans)
        self._tiers.adopt(run, away.file)
        if self._mark(run, away.landmarks):
            self._runs.append(run)
        else:
            self._tiers.drop(run)

    def _take_back(self, kept: Kept, place: list[Run]) -> None:
        layout, data = wrap(kept.frozen)
        run = Run(layout, kept.spans)
        if self._enter(run, data, kept.landmarks):
            place.append(run)

    def _frozen(self, run: Run) -> Frozen:
        data = self._tiers.read(run)
        assert isinstance(data, Tensor), "it lies in memory"
        return unwrap(run.layout, data)

    def _kept(self, run: Run, landmarks: Tensor) -> Kept:
        data = self._tiers.read(run)
        assert isinstance(data, Tensor), "it lies in memory"
        return Kept(unwrap(run.layout, data.cpu()), run.spans, landmarks)
