"""Notes over a restart: read again as they were, and refused where anything is wrong with them."""

from __future__ import annotations

import pytest
import torch

from core.errors import MemoryDamaged
from memory.memory import KVMemory
from memory.notes import Note
from memory.policies.hermes import Hermes
from memory.policies.sink_window import SinkWindow
from memory.pool import PagePool
from memory.saving.fit import Fit
from memory.saving.manifest import Manifest, describe
from memory.saving.packing import from_tensors, to_tensors
from tests.memory.policies.running import ROTATION, SHAPE
from tests.memory.test_notes import ROOM, Noting, feed


def noted(kind=SinkWindow) -> Noting:
    run = Noting(kind())
    for length in (4, 6):
        feed(run, 4)
        run.note(length)
    feed(run, 8)
    return run


def described(run: Noting) -> tuple[Fit, Manifest]:
    policy = run.memory.policy
    fit = Fit("tiny", "print", SHAPE, 3, run.memory.capacity, policy, torch.device("cpu"))
    state = run.memory.state()
    return fit, describe("porch", fit, state, (0, ""), 1e6, 0.0, 0.0)


@pytest.mark.parametrize("kind", [SinkWindow, Hermes])
def test_notes_are_read_as_they_were_written_and_a_restored_memory_goes_on_with_them(kind):
    run = noted(kind)
    fit, manifest = described(run)
    state = from_tensors(to_tensors(run.memory.state()), manifest, fit)
    assert state.notes == run.memory.notes
    assert len(state.notes) == 2
    other = Noting(kind())
    other.pool = PagePool(SHAPE, 100, 8)
    other.memory = KVMemory(other.pool, 60, kind(), ROTATION, noting=ROOM)
    other.memory.restore(state)
    other.keys, other.values, other.step = run.keys, run.values, run.step
    other.check()
    feed(other, 10)
    newest = other.note(7)
    assert other.memory.notes == (state.notes[1], newest)
    other.check()


def test_a_memory_without_notes_is_written_as_before():
    run = Noting(SinkWindow())
    feed(run, 5)
    assert not any(name.startswith("notes") for name in to_tensors(run.memory.state()))


def cut(tensors):
    tensors["notes.lengths"] = torch.tensor([4, 5])


def empty(tensors):
    tensors["notes.lengths"] = torch.tensor([0, 10])


def muddled(tensors):
    tensors["notes.spans"] = tensors["notes.spans"].flip(0)


def unreadable(tensors):
    tensors["notes.ids"][3] = -1


def moved(tensors):
    tensors["notes.spans"] = tensors["notes.spans"] + 0.25


def silent(tensors):
    for name in ("ids", "lengths", "spans"):
        del tensors[f"notes.{name}"]


def partly(tensors):
    del tensors["notes.spans"]


@pytest.mark.parametrize(
    "harm", [cut, empty, muddled, unreadable, moved, silent, partly], ids=lambda harm: harm.__name__
)
def test_notes_that_are_not_whole_are_damaged(harm):
    run = noted()
    fit, manifest = described(run)
    tensors = to_tensors(run.memory.state())
    harm(tensors)
    with pytest.raises(MemoryDamaged):
        from_tensors(tensors, manifest, fit)


def test_a_head_that_lacks_a_note_is_damaged():
    run = noted(Hermes)
    fit, manifest = described(run)
    tensors = to_tensors(run.memory.state())
    held = torch.from_numpy(run.memory.tokens.note)[tensors["rows"].clamp(min=0)]
    layer, head, slot = (held & (tensors["rows"] >= 0)).nonzero()[0].tolist()
    own = tensors["rows"][layer, head]
    last = int((own >= 0).sum()) - 1
    own[slot] = own[last] if slot != last else own[slot]
    own[last] = -1
    with pytest.raises(MemoryDamaged):
        from_tensors(tensors, manifest, fit)


def test_a_note_says_how_long_it_is():
    assert len(Note(0.0, 1.0, (5, 6, 7))) == 3
