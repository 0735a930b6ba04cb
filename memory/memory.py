"""A camera's memory: at most `capacity` tokens of keys and values per head, in pages of the pool.

Attention does not mind the order of slots, so what a policy gives up is overwritten: tokens at the
end move into the holes, new ones follow. Heads may come to hold different tokens. A snapshot pins
pages (`memory.block_table`): later writes go to copies of them.

All methods belong to one thread (the engine's); `held`, `seen` and `capacity` may be read from any.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from core.errors import CapacityExceeded
from memory import standing
from memory.block_table import BlockTable
from memory.notes import Note, fitting, with_notes, without_notes
from memory.observation import Observed
from memory.policies.policy import Contents, MemoryPolicy, Retained
from memory.pool import PagePool
from memory.reach import Reach
from memory.recall.archive import Archive
from memory.rotation import Rotation
from memory.saving.state import MemoryState, blanked
from memory.snapshot import Extent, Snapshot
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
        self._table = BlockTable(pool, capacity)
        self._tokens = TokenTable.empty()
        heads = (pool.shape.layers, pool.shape.kv_heads) if policy.per_head else (1, 1)
        self._rows = torch.full((*heads, 0), -1, dtype=torch.int64)  # [l, h, held]
        self._lengths = torch.zeros(heads, dtype=torch.int64)
        self._group = 0

    @property
    def held(self) -> int:
        """Tokens stored now, by the head that holds most."""
        return int(self._rows.shape[-1])

    @property
    def tokens(self) -> TokenTable:
        """What is known of each token that some head holds, oldest first; do not change it."""
        return self._tokens

    @property
    def rows(self) -> Tensor:
        """Which row of `tokens` each slot holds, int64 [l, h, held], -1 for none; read only."""
        return self._rows

    @property
    def notes(self) -> tuple[Note, ...]:
        """Those that are held, oldest first."""
        return tuple(self._notes)

    def view(self) -> View:
        """What attention reads now; valid until the next append."""
        even = bool((self._lengths == self.held).all())
        lengths = None if even else self._lengths
        return self._table.view(self.held, lengths)

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
        sink = int(self._tokens.sink.sum())
        if (fixed := sink + int(new.sink.sum())) >= room:
            raise CapacityExceeded(
                f"the fixed beginning takes {fixed} of {room} tokens: raise memory.capacity"
            )
        self.seen += len(new)
        self._group = max(self._group, int(new.group.max(initial=-1)) + 1)
        if len(new):
            self.end = int(positions.max()) + 1
            self.keep_within_reach(self.end)
        likeness = None if observed is None else observed.likeness(new.visual)
        came, chosen = new, new.newest(room - sink)
        new, flat = came.rows(chosen), source[torch.from_numpy(chosen).to(source.device)]
        # What comes in cut short leaves no gap behind it: nothing older stays.
        limit = room - len(new) if len(new) == len(came) else sink
        contents = self._contents(observed)
        retained = self.policy.retain(without_notes(contents), new, limit)
        if retained is not None:
            self._retain(replace(retained, stay=with_notes(retained.stay, contents)))
        if self.archive is not None and (cut := came.cut(chosen)).any():
            places = torch.from_numpy(cut).to(source.device)
            self.archive.put(*self.pool.read(source[places]), came.rows(cut))
        self._add(new, flat[None, None])
        if likeness is not None:
            self._settle(likeness[:, torch.from_numpy(chosen).to(likeness.device)])
        return before + len(came) - self.held

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
        self._drop_notes(notes)
        self._add_notes(notes, source, positions)

    def keep_within_reach(self, end: int) -> int:
        """Give up steps too far back from a token at `end`; how many fewer are held.

        The fixed beginning stays; `sink_strays` says when it must be moved.
        """
        before = self.held
        if self.reach is not None and (lost := self.reach.lost(self._tokens, end)).any():
            contents = self._contents(None)
            self._retain(Retained(contents.filled & ~contents.column(lost)))
        return before - self.held

    def sink_strays(self, end: int) -> bool:
        """Whether the fixed beginning lies too far back from a token at `end`."""
        sink = self._tokens.rows(self._tokens.sink)
        return self.reach is not None and self.reach.exceeded(sink, end)

    def snapshot(self, *, sink_only: bool = False) -> Snapshot:
        """What is held now, unaffected by whatever comes.

        Args:
            sink_only: the fixed beginning and no step; the next position is then the sink's.

        Raises:
            CapacityExceeded: if the pool cannot promise the pages that later writes would copy.
        """
        if sink_only:
            length = int(self._tokens.sink.sum())  # it came first and always stays
            pin, floor = self._table.pin(length), standing.floor(self._tokens)
            return Snapshot(
                self._table.view(length), Extent(floor, floor, floor, None, None, floor), pin
            )
        pin = self._table.pin(self.held)
        return Snapshot(self.view(), self.extent(), pin)

    def extent(self) -> Extent:
        """Next position and the stretch of stream that is held."""
        return standing.extent(self._tokens, self.next_position, self.end)

    def oldest_position(self) -> int:
        """Rotary position of the oldest step held; the next one if there is none."""
        return standing.oldest(self._tokens, self.next_position)

    def drift(self) -> int:
        """Positions that eviction has left between the sink and the oldest step; 0 at first."""
        return standing.drift(self._tokens, self.next_position)

    def move_sink(self, source: Tensor, positions: NDArray[np.int64]) -> None:
        """Put the same sink, computed at other positions, in the place of the present one.

        Args:
            source: flat slots of its keys and values in all layers, int64 [n].
            positions: rotary (t, h, w), [n, 3].

        Raises:
            ValueError: if it is not as long as the present one.
        """
        rows = np.flatnonzero(self._tokens.sink)
        if len(rows) != len(positions):
            raise ValueError(f"a sink of {len(rows)} tokens, not {len(positions)}")
        places = np.arange(len(rows))  # it came first, always stays, and what moves is at the end
        self._table.prepare(places)
        self.pool.copy_slots(source, self._table.flat(places))
        self._tokens.positions[rows] = positions

    def release(self) -> None:
        """Give all pages back; snapshots keep theirs until they are released. Idempotent."""
        if self.archive is not None:
            self.archive.close()
            self.archive = None
        self._table.release()
        self._tokens = TokenTable.empty()
        self._rows = self._rows[..., :0]
        self._lengths = torch.zeros_like(self._lengths)

    def state(self) -> MemoryState:
        """All that is held, copied to the host: what `restore` makes a memory of again."""
        keys, values = (blanked(x, self._rows) for x in self._table.stored(np.arange(self.held)))
        return MemoryState(
            keys,
            values,
            self._rows.clone(),
            self._tokens.rows(np.arange(len(self._tokens))),
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
        self._rows, self._lengths = state.rows.clone(), (state.rows >= 0).sum(-1)
        self._tokens = state.tokens.rows(np.arange(len(state.tokens)))
        self.next_position, self._group = state.next_position, state.next_group
        self.end, self.seen = state.next_position, state.seen
        places = np.arange(state.held)
        self._table.prepare(places)
        keys, values = (x.to(self.pool.device) for x in (state.keys, state.values))
        self.pool.write(self._table.flat(places)[None, None], keys, values)
        if self.archive is not None and state.archive is not None:
            self.archive.restore(state.archive)
        kept = fitting(state.notes, self.noting)
        self._drop_notes(list(state.notes)[: len(state.notes) - len(kept)])
        self._notes = kept

    def _contents(self, observed: Observed | None) -> Contents:
        slots, rows = self._table.flat(np.arange(self.held)), self._rows.to(self.pool.device)
        return Contents(self._tokens, rows, self.pool, slots, self._rotation, observed)

    def _settle(self, likeness: Tensor) -> None:
        """Let the policy look at what just came in, whose likeness is [layers, n]."""
        older = len(self._tokens) - likeness.shape[1]
        whole = F.pad(likeness, (older, 0), value=torch.nan)
        contents = replace(self._contents(None), likeness=whole)
        stay = self.policy.settle(without_notes(contents))
        if stay is not None:
            self._retain(Retained(with_notes(stay, contents)))

    def _retain(self, retained: Retained) -> None:
        """Close the holes: the last slots that stay move into those given up."""
        stay = retained.stay.cpu() & (self._rows >= 0)
        if self.archive is not None:
            self._freeze(self.archive, ~stay[0, 0])
        self._lengths = stay.sum(-1)
        place = torch.arange(self.held)
        inside = place < self._lengths[..., None]
        holes, movers = (~stay & inside).nonzero(), (stay & ~inside).nonzero()
        if len(holes):
            self._table.prepare(np.unique(holes[:, 2].numpy()))
            source, target = (self._table.flat(x[:, 2].numpy()) for x in (movers, holes))
            if self.policy.per_head:
                self.pool.copy_entries(holes[:, 0], holes[:, 1], source, target)
            else:
                self.pool.copy_slots(source, target)
            self._rows[holes.unbind(1)] = self._rows[movers.unbind(1)]
        self._rows = self._rows.masked_fill(~inside, -1)[..., : int(self._lengths.max())]
        self._forget_tokens()
        if retained.summaries is not None:
            made = retained.summaries
            self._add(made.tokens, None, (made.keys, made.values))

    def _add_notes(self, notes: list[Note], source: Tensor, positions: NDArray[np.int64]) -> None:
        times = np.concatenate([np.full(len(note), note.t_end) for note in notes])
        self._add(TokenTable.of_notes(positions, times), source[None, None])

    def _drop_notes(self, notes: list[Note]) -> None:
        if notes:
            tokens, contents = self._tokens, self._contents(None)
            gone = tokens.note & np.isin(tokens.time, [note.t_end for note in notes])
            self._retain(Retained(contents.filled & ~contents.column(gone)))

    def _freeze(self, archive: Archive, gone: Tensor) -> None:
        """Hand the steps that are given up to the archive; all heads hold the same."""
        stays = torch.from_numpy(~self._tokens.step)[self._rows[0, 0]]
        places = (gone & ~stays).nonzero()[:, 0]
        rows = self._rows[0, 0, places]
        order = torch.argsort(rows)  # as it came
        stored = self._table.stored(places[order].numpy())
        archive.put(*stored, self._tokens.rows(rows[order].numpy()))

    def _add(
        self,
        new: TokenTable,
        source: Tensor | None,
        made: tuple[Tensor, Tensor] | None = None,
    ) -> None:
        """Put tokens after what each head holds, out of slots of the pool or as they are given."""
        n, heads = len(new), self._rows.shape[:2]
        places = self._lengths[..., None] + torch.arange(n)  # [l, h, n]
        self._lengths = self._lengths + n
        longest = int(self._lengths.max())
        fresh = torch.full((*heads, longest - self.held), -1, dtype=torch.int64)
        self._rows = torch.cat([self._rows, fresh], dim=-1)
        numbers = torch.arange(len(self._tokens), len(self._tokens) + n).expand(*heads, n)
        self._rows.scatter_(2, places, numbers)
        self._tokens = self._tokens.joined(new)
        if not n:
            return
        self._table.prepare(np.unique(places.numpy()))
        target = self._table.flat(places.flatten().numpy()).view(*heads, n)
        if made is not None:
            self.pool.write(target, *made)
        elif source is not None and self.policy.per_head:
            self.pool.spread(source.flatten(), target)
        elif source is not None:
            self.pool.copy_slots(source.flatten(), target.flatten())

    def _forget_tokens(self) -> None:
        """Drop the rows of tokens that no head holds any more."""
        used = torch.zeros(len(self._tokens) + 1, dtype=torch.bool)
        used[self._rows.flatten()] = True  # -1, no token, marks the surplus last place
        kept = used[:-1].nonzero()[:, 0]
        number = torch.cat([used[:-1].cumsum(0) - 1, torch.tensor([-1])])
        self._rows = number[self._rows]
        self._tokens = self._tokens.rows(kept.numpy())
