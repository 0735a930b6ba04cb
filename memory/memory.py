"""A camera's memory: at most `capacity` tokens of keys and values per head, in pages of the pool.

Which token lies where is the store's business (`memory.store`); here it is decided what comes and
goes. Heads may come to hold different tokens. A snapshot pins pages (`memory.block_table`): later
writes go to copies of them. What raises leaves a memory as it was before.

All methods belong to one thread (the engine's); `held`, `seen` and `capacity` may be read from any.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from core.errors import CapacityExceeded
from core.sending import sent
from memory import standing
from memory.notes import Note, fitting, with_notes, without_notes
from memory.observation import Observed
from memory.policies.policy import Contents, MemoryPolicy, Retained
from memory.pool import PagePool
from memory.reach import Reach
from memory.recall.archive import Archive
from memory.rotation import Rotation
from memory.saving.state import MemoryState, blanked
from memory.snapshot import Extent, Snapshot
from memory.store import Store
from memory.table import TokenTable, described
from memory.view import View


class KVMemory:
    """The bounded KV store of one camera.

    Args:
        pool: where its pages live; `capacity` tokens are leased now.
        capacity: most tokens that any head ever holds.
        policy: what is given up when it is full.
        rotation: how the model turns its keys; for policies that must know.
        archive: where steps go that are given up whole; None loses them.
        reach: how far back from what comes next steps may lie; None: however far.
        noting: tokens of the capacity that are for notes alone.

    Raises:
        CapacityExceeded: if the pool cannot promise the pages.
        ValueError: if notes would leave no room; or if there is an archive and the policy does not
            give up whole steps, which are all that it takes.
    """

    def __init__(
        self,
        pool: PagePool,
        capacity: int,
        policy: MemoryPolicy,
        rotation: Rotation | None = None,
        archive: Archive | None = None,
        reach: Reach | None = None,
        noting: int = 0,
    ) -> None:
        if not 0 <= noting < capacity:
            raise ValueError(f"a capacity of {capacity} tokens, {noting} of them for notes")
        if archive is not None and not policy.whole_steps:
            raise ValueError(f"{policy.method} gives up single tokens: it needs no archive")
        self.pool = pool
        self.capacity = capacity
        self.policy = policy
        self.seen = 0  # tokens ever appended
        self.next_position = 0  # answers may move it on
        self.end = 0  # position after the newest token that came in
        self.archive = archive
        self.reach = reach
        self.noting = noting
        self._notes: list[Note] = []
        self._rotation = rotation
        self._group = 0
        self._leaving: list[tuple[Tensor, Tensor, TokenTable]] = []  # for the archive
        self._store = Store(pool, capacity, per_head=policy.per_head)

    @property
    def held(self) -> int:
        """Tokens stored now, by the head that holds most."""
        return self._store.held

    @property
    def tokens(self) -> TokenTable:
        """What is known of each token that some head holds, oldest first; do not change it."""
        return self._store.tokens

    @property
    def rows(self) -> Tensor:
        """Which row of `tokens` each slot holds, int64 [l, h, held], -1 for none; read only."""
        return self._store.rows

    @property
    def notes(self) -> tuple[Note, ...]:
        """Those that are held, oldest first."""
        return tuple(self._notes)

    def view(self) -> View:
        """What attention reads now; valid until the next append."""
        store = self._store
        even = bool((store.lengths == self.held).all())
        return store.table.view(self.held, None if even else store.lengths)

    @property
    def broken(self) -> bool:
        """Whether a change failed and could not be taken back: give it up."""
        return self._store.broken

    @contextmanager
    def change(self) -> Iterator[None]:
        """What is done within is done whole or not at all; one within another is part of it."""
        if self._store.changing:
            yield
            return
        before = self.seen, self.end, self._group, self._notes
        try:
            with self._store.change():
                yield
        except BaseException:
            self.seen, self.end, self._group, self._notes = before
            self._leaving.clear()
            raise
        # Only what has left for good, or a step would be in both places.
        leaving, self._leaving = self._leaving, []
        for each in leaving:
            assert self.archive is not None
            self.archive.put(*each)

    def overflows(self, tokens: int) -> bool:
        """Whether so many more tokens of steps would not fit."""
        noted = sum(map(len, self._notes))
        return self.held - noted + tokens > self.capacity - self.noting

    def append(
        self,
        source: Tensor,
        positions: NDArray[np.int64],
        times: NDArray[np.float64] | None,
        visual: NDArray[np.bool_] | None = None,
        observed: Observed | None = None,
    ) -> int:
        """Copy tokens from the pool's flat slots `source`; how many fewer are held than might be.

        Args:
            source: flat slots of finished keys and values in all layers, int64 [n].
            positions: rotary (t, h, w), [n, 3].
            times: stream seconds of each token's temporal step, non-decreasing [n]; tokens of one
                time are one group. None marks the sink, which is never evicted.
            visual: which are places of pictures, [n]; None: none of them.
            observed: what a policy wants to see of their forward.

        Raises:
            CapacityExceeded: if the sink would leave no room for anything else.
        """
        before, room = self.held, self.capacity - self.noting
        new = described(positions, times, visual, self._group)
        sink = int(self.tokens.sink.sum())
        if (fixed := sink + int(new.sink.sum())) >= room:
            raise CapacityExceeded(
                f"the fixed beginning takes {fixed} of {room} tokens: raise memory.capacity"
            )
        with self.change():
            self.seen += len(new)
            self._group = max(self._group, int(new.group.max(initial=-1)) + 1)
            if len(new):
                self.end = int(positions.max()) + 1
                self.keep_within_reach(self.end)
            self._take_in(new, source, new.newest(room - sink), observed)
        return before + len(new) - self.held

    def note(self, note: Note, source: Tensor, positions: NDArray[np.int64]) -> None:
        """Take in a note; the oldest go where there is no room for all.

        Args:
            note: about what came after all that notes are about.
            source: flat slots of its finished keys and values in all layers, int64 [n].
            positions: rotary (t, h, w), [n, 3].

        Raises:
            CapacityExceeded: if it is longer than all that is set aside for notes, or steps have
                not yet left that room.
        """
        steps = self.held - sum(map(len, self._notes))
        if len(note) > self.noting or steps > self.capacity - self.noting:
            raise CapacityExceeded(f"{self.noting} tokens for notes are too few, or not yet free")
        older = fitting(self._notes, self.noting - len(note))
        with self.change():
            self._drop_notes(self._notes[: len(self._notes) - len(older)])
            self._add_notes([note], source, positions)
            self._notes = [*older, note]
            self.seen += len(note)
            self.end = int(positions.max()) + 1

    def move_notes(self, notes: list[Note], source: Tensor, positions: NDArray[np.int64]) -> None:
        """Put the same notes, computed at other positions, in the place of the present ones.

        Args:
            notes: held, oldest first, at least one.
            source: flat slots of all their keys and values in all layers, int64 [n].
            positions: rotary (t, h, w), [n, 3].
        """
        with self.change():
            self._drop_notes(notes)
            self._add_notes(notes, source, positions)

    def keep_within_reach(self, end: int) -> int:
        """Give up steps too far back from a token at `end`; how many fewer are held.

        The fixed beginning stays; `sink_strays` says when it must be moved.
        """
        before = self.held
        if self.reach is not None and (lost := self.reach.lost(self.tokens, end)).any():
            with self.change():
                contents = self._contents(None)
                self._retain(Retained(contents.filled & ~contents.column(lost)))
        return before - self.held

    def sink_strays(self, end: int) -> bool:
        """Whether the fixed beginning lies too far back from a token at `end`."""
        sink = self.tokens.rows(self.tokens.sink)
        return self.reach is not None and self.reach.exceeded(sink, end)

    def snapshot(self, *, sink_only: bool = False) -> Snapshot:
        """What is held now, unaffected by whatever comes.

        Args:
            sink_only: the fixed beginning and no step; the next position is then the sink's.

        Raises:
            CapacityExceeded: if the pool cannot promise the pages that later writes would copy.
        """
        length = int(self.tokens.sink.sum()) if sink_only else self.held
        pin = self._store.table.pin(length)
        try:
            if not sink_only:
                return Snapshot(self.view(), self.extent(), pin)
            floor = standing.floor(self.tokens)
            extent = Extent(floor, floor, floor, None, None, floor)
            return Snapshot(self._store.table.view(length), extent, pin)
        except BaseException:
            pin.release()
            raise

    def extent(self) -> Extent:
        """Next position and the stretch of stream that is held."""
        return standing.extent(self.tokens, self.next_position, self.end)

    def oldest_position(self) -> int:
        """Rotary position of the oldest step held; the next one if there is none."""
        return standing.oldest(self.tokens, self.next_position)

    def drift(self) -> int:
        """Positions that eviction has left between the sink and the oldest step; 0 at first."""
        return standing.drift(self.tokens, self.next_position)

    def move_sink(self, source: Tensor, positions: NDArray[np.int64]) -> None:
        """Put the same sink, computed at other positions, in the place of the present one.

        Args:
            source: flat slots of its keys and values in all layers, int64 [n].
            positions: rotary (t, h, w), [n, 3].

        Raises:
            ValueError: if it is not as long as the present one.
        """
        rows = np.flatnonzero(self.tokens.sink)
        if len(rows) != len(positions):
            raise ValueError(f"a sink of {len(rows)} tokens, not {len(positions)}")
        with self.change():  # it came first, always stays, and what moves is at the end
            self._store.replace_first(source, rows, positions)

    def release(self) -> None:
        """Give all pages back; snapshots keep theirs until they are released. Idempotent."""
        if self.archive is not None:
            self.archive.close()
            self.archive = None
        self._store.release()

    def state(self) -> MemoryState:
        """All that is held, copied to the host: what `restore` makes a memory of again."""
        assert not self.broken, "nothing in it means anything"
        stored = self.pool.read(self._store.slots())
        keys, values = (blanked(x, self.rows) for x in stored)
        return MemoryState(
            keys,
            values,
            self.rows.clone(),
            self.tokens.rows(np.arange(len(self.tokens))),
            self.next_position,
            self._group,
            self.seen,
            None if self.archive is None else self.archive.state(),
            self.notes,
        )

    def restore(self, state: MemoryState) -> None:
        """Hold what a memory of the same shape and kind of policy held, in its place.

        Args:
            state: checked, as `memory.saving` gives it; this memory has seen nothing yet.
        """
        assert not self.seen, "it was to be new"
        assert state.held <= self.capacity, "it was to fit"
        self._store.fill(state.tokens, state.rows, state.keys, state.values)
        self.next_position, self._group = state.next_position, state.next_group
        self.end, self.seen = state.next_position, state.seen
        if self.archive is not None and state.archive is not None:
            self.archive.restore(state.archive)
        kept = fitting(state.notes, self.noting)
        with self.change():
            self._drop_notes(list(state.notes)[: len(state.notes) - len(kept)])
            self._notes = kept

    def _contents(self, observed: Observed | None) -> Contents:
        rows = self.rows if self.policy.by_table else sent(self.rows, self.pool.device)
        slots = self._store.slots()
        return Contents(
            self.tokens, rows, self.pool, slots, self._rotation, observed, host=self.rows
        )

    def _take_in(
        self,
        came: TokenTable,
        source: Tensor,
        chosen: NDArray[np.int64],
        observed: Observed | None,
    ) -> None:
        """Put the chosen ones of what came after what stays."""
        likeness = None if observed is None else observed.likeness(came.visual)
        new, flat = came.rows(chosen), source[sent(torch.from_numpy(chosen), source.device)]
        # What comes in cut short leaves no gap behind it: nothing older stays.
        whole = len(new) == len(came)
        limit = self.capacity - self.noting - len(new) if whole else int(self.tokens.sink.sum())
        contents = self._contents(observed)
        retained = self.policy.retain(without_notes(contents), new, limit)
        if retained is not None:
            self._retain(replace(retained, stay=with_notes(retained.stay, contents)))
        if self.archive is not None and (cut := came.cut(chosen)).any():
            places = sent(torch.from_numpy(np.flatnonzero(cut)), source.device)
            self._leaving.append((*self.pool.read(source[places]), came.rows(cut)))
        self._store.add(new, flat)
        if likeness is not None:
            self._settle(likeness[:, sent(torch.from_numpy(chosen), likeness.device)])

    def _settle(self, likeness: Tensor) -> None:
        """Let the policy look at what just came in, whose likeness is [layers, n]."""
        older = len(self.tokens) - likeness.shape[1]
        whole = F.pad(likeness, (older, 0), value=torch.nan)
        contents = replace(self._contents(None), likeness=whole)
        stay = self.policy.settle(without_notes(contents))
        if stay is not None:
            self._retain(Retained(with_notes(stay, contents)))

    def _retain(self, retained: Retained) -> None:
        """Give up what does not stay; whole steps may go to the archive."""
        stay = retained.stay.cpu()
        if self.archive is not None:
            self._freeze((~stay & (self.rows >= 0))[0, 0])
        self._store.retain(stay)
        if retained.summaries is not None:
            made = retained.summaries
            self._store.add(made.tokens, None, (made.keys, made.values))

    def _add_notes(self, notes: list[Note], source: Tensor, positions: NDArray[np.int64]) -> None:
        times = np.concatenate([np.full(len(note), note.t_end) for note in notes])
        self._store.add(TokenTable.of_notes(positions, times), source)

    def _drop_notes(self, notes: list[Note]) -> None:
        if notes:
            tokens, contents = self.tokens, self._contents(None)
            gone = tokens.note & np.isin(tokens.time, [note.t_end for note in notes])
            self._retain(Retained(contents.filled & ~contents.column(gone)))

    def _freeze(self, gone: Tensor) -> None:
        """Note for the archive the steps that are given up; all heads hold the same."""
        stays = torch.from_numpy(~self.tokens.step)[self.rows[0, 0]]
        places = (gone & ~stays).nonzero()[:, 0]
        rows = self.rows[0, 0, places]
        order = torch.argsort(rows)  # as it came
        stored = self._store.table.stored(places[order].numpy())
        self._leaving.append((*stored, self.tokens.rows(rows[order].numpy())))
