"""What is not whole, or of something else, is refused in words; nothing of it is used."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load, save

from core.errors import MemoryDamaged, MemoryForeign, MemoryNotSaved
from memory.codecs.block import Block
from memory.codecs.plain import Plain
from memory.policies.infinipot_v import InfiniPotV
from memory.policies.sink_window import RecentSteps, SinkWindow
from memory.pool import KVShape
from memory.recall.disk import File
from memory.recall.kept import Archived, Away
from memory.recall.tiers import Span
from memory.saving.fit import Fit
from memory.saving.manifest import Manifest
from memory.saving.packing import from_tensors, to_tensors
from memory.saving.shelf import ASIDE, MANIFEST, TENSORS, Shelf
from memory.saving.state import MemoryState
from tests.memory.policies.running import SHAPE
from tests.memory.saving.resuming import begin, fit, watch

CODEC = Block()
FIT = fit(SinkWindow(), CODEC)


@pytest.fixture(scope="module")
def state() -> MemoryState:
    return watch(begin(SinkWindow(), CODEC), 40).memory.state()


@pytest.fixture(scope="module")
def written(state: MemoryState, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("memories")
    Shelf(folder, "porch", FIT).write(state, 39.0, 0.0)
    return folder


@pytest.fixture
def folder(written: Path, tmp_path: Path) -> Path:
    return shutil.copytree(written, tmp_path / "memories")


def file(folder: Path, name: str) -> Path:
    (found,) = folder.glob(f"camera-porch/*/{name}")
    return found


def read(folder: Path, suits: Fit = FIT, camera: str = "porch"):
    return Shelf(folder, camera, suits).read()


@pytest.mark.parametrize("name", [MANIFEST, TENSORS])
@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.99])
def test_a_truncated_file_is_damaged(folder, name, share):
    path = file(folder, name)
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
    with pytest.raises(MemoryDamaged):
        read(folder)


@pytest.mark.parametrize("name", [MANIFEST, TENSORS])
def test_a_longer_file_is_damaged(folder, name):
    with file(folder, name).open("ab") as end:
        end.write(b" ")
    with pytest.raises(MemoryDamaged):
        read(folder)


@pytest.mark.parametrize("name", [MANIFEST, TENSORS])
def test_a_missing_file_is_damaged(folder, name):
    file(folder, name).unlink()
    with pytest.raises(MemoryDamaged, match="cannot be read"):
        read(folder)


def test_every_changed_byte_of_the_manifest_is_noticed(folder):
    path = file(folder, MANIFEST)
    whole = path.read_bytes()
    for place in range(len(whole)):
        changed = bytearray(whole)
        changed[place] ^= 1 << (place % 8)
        with pytest.raises((MemoryDamaged, MemoryForeign)):
            Manifest.read(bytes(changed))
    Manifest.read(whole)


def test_changed_bytes_of_the_tensors_are_noticed(folder):
    path = file(folder, TENSORS)
    whole = path.read_bytes()
    for place in np.random.default_rng(0).integers(0, len(whole), 40).tolist():
        changed = bytearray(whole)
        changed[place] ^= 1 << (place % 8)
        path.write_bytes(changed)
        with pytest.raises(MemoryDamaged, match="not as they were written"):
            read(folder)


@pytest.mark.parametrize("text", [b"", b"[]", b"null", b"{", b'{"version": 1}', b"\xff" * 40,
                                  b"[" * 100_000, b'{"version": 1, "seal": 3}'])  # fmt: skip
def test_what_is_no_manifest_is_damaged(text):
    with pytest.raises(MemoryDamaged):
        Manifest.read(text)


def test_another_version_is_named(folder):
    path = file(folder, MANIFEST)
    path.write_text(json.dumps({**json.loads(path.read_text()), "version": 7}))
    with pytest.raises(MemoryForeign, match="format 7; this Lookout reads 1"):
        read(folder)


def test_a_sealed_manifest_that_says_too_little_is_damaged(written):
    manifest = Manifest.read(file(written, MANIFEST).read_bytes())
    for change in ({"held": -1}, {"newest": float("nan")}, {"next_position": 2**62}):
        forged = manifest.model_copy(update=change).to_bytes()
        with pytest.raises(MemoryDamaged, match="does not say"):
            Manifest.read(forged)


@pytest.mark.parametrize(
    ("suits", "words"),
    [
        (replace(FIT, model="other", fingerprint="other"), "another model.*tiny"),
        (replace(FIT, fingerprint="retrained"), "other weights of this model"),
        (replace(FIT, policy=RecentSteps()), "memory.policy was SinkWindow.*RecentSteps"),
        (replace(FIT, policy=InfiniPotV()), "memory.policy"),
        (replace(FIT, codec=Plain()), "packed by block, now it is plain"),
        (replace(FIT, codec=None), "now it is off"),
        (replace(FIT, capacity=20), r"more than memory.capacity 20"),
    ],
)
def test_what_is_of_something_else_is_refused_with_what_differs(folder, suits, words):
    with pytest.raises(MemoryForeign, match=words):
        read(folder, suits)


def test_the_memory_of_another_camera_is_refused(folder):
    (folder / "camera-porch").rename(folder / "camera-yard")
    with pytest.raises(MemoryForeign, match="'porch'"):
        read(folder, camera="yard")


def test_a_larger_capacity_and_a_new_archive_are_no_reason_to_refuse(tmp_path):
    plain = fit(SinkWindow())
    Shelf(tmp_path, "porch", plain).write(watch(begin(SinkWindow()), 9).memory.state(), 8.0, 0.0)
    saved = read(tmp_path, replace(FIT, capacity=400))
    assert saved is not None
    assert saved.state.archive is None


def _swap(name: str, change: Callable[[torch.Tensor], torch.Tensor]):
    return lambda tensors: {**tensors, name: change(tensors[name].clone())}


def _put(value: float, *place: int):
    def change(tensor: torch.Tensor) -> torch.Tensor:
        tensor[place] = value
        return tensor

    return change


FORGED = [
    (lambda t: {k: v for k, v in t.items() if k != "kind"}, "kind is missing"),
    (lambda t: {**t, "extra": torch.zeros(3)}, "extra belongs to nothing"),
    (_swap("keys", lambda x: x.double()), "keys is torch.float64"),
    (_swap("keys", lambda x: x[..., :-1]), "keys is torch.float32"),
    (_swap("values", _put(float("nan"), 0, 0, 0, 0)), "values holds numbers that are not finite"),
    (_swap("keys", _put(float("inf"), 0, 0, 0, 0)), "not finite"),
    (_swap("time", _put(float("inf"), -1)), "not finite"),
    (_swap("time", _put(1e9, -1)), "newer than the newest"),
    (_swap("rows", _put(10**6, 0, 0, -1)), "names a token that there is not"),
    (_swap("rows", _put(-2, 0, 0, -1)), "names a token that there is not"),
    (_swap("rows", _put(-1, 0, 0, 5)), "a hole"),
    (_swap("rows", _put(-1, 0, 0, -1)), "as much as is held"),
    (_swap("rows", _put(4, 0, 0, 5)), "twice|no head"),
    (_swap("rows", _put(2, 0, 0, 0)), "fixed beginning"),
    (_swap("group", _put(5, 0)), "fixed beginning"),
    (_swap("group", _put(-1, -1)), "fixed beginning"),
    (_swap("group", _put(10**9, -1)), "yet to come"),
    (_swap("kind", _put(9, -1)), "of no kind"),
    (_swap("positions", _put(-1, 4, 0)), "position"),
    (_swap("positions", _put(2**40, 4, 0)), "position"),
    (_swap("archive.0.marks", _put(0, 0)), "lost tokens"),
    (_swap("archive.0.steps", _put(7, 0, 0)), "do not follow"),
    (_swap("archive.0.steps", _put(2**40, -1, 1)), "do not follow"),
    (_swap("archive.0.steps", _put(99, 1, 2)), "lies elsewhere"),
    (_swap("archive.0.offsets", _put(-4, 0, 0)), "lost tokens"),
    (_swap("archive.0.landmarks", _put(float("nan"), 0, 0, 0, 0)), "not finite"),
    (_swap("archive.0.times", _put(float("nan"), 0)), "not finite"),
    (_swap("archive.0.base", lambda x: x[:0]), "archive.0.base"),
]


@pytest.mark.parametrize(("forge", "words"), FORGED, ids=[words for _, words in FORGED])
def test_whole_files_that_hold_no_memory_are_damaged(written, state, forge, words):
    manifest = Manifest.read(file(written, MANIFEST).read_bytes())
    tensors = load(save(to_tensors(state)))
    from_tensors(dict(tensors), manifest, FIT)
    with pytest.raises(MemoryDamaged, match=words):
        from_tensors(forge(tensors), manifest, FIT)


def test_planes_of_an_archive_must_be_those_of_its_codec(written, state):
    manifest = Manifest.read(file(written, MANIFEST).read_bytes())
    tensors = to_tensors(state)
    planes = [name for name in tensors if name.startswith(("archive.0.keys.", "archive.0.values."))]
    assert planes
    for name in planes:
        forged = {**tensors, name: tensors[name][..., :-1].contiguous()}
        with pytest.raises(MemoryDamaged, match=name):
            from_tensors(forged, manifest, FIT)


def test_another_shape_of_model_never_reaches_the_pool(written, state):
    manifest = Manifest.read(file(written, MANIFEST).read_bytes())
    wide = replace(FIT, shape=KVShape(layers=5, kv_heads=2, head_dim=16))
    with pytest.raises(MemoryDamaged, match="keys"):
        from_tensors(to_tensors(state), manifest, wide)


def test_what_was_refused_is_put_aside_and_the_next_save_leaves_it_there(folder, state):
    shelf = Shelf(folder, "porch", FIT)
    path = file(folder, TENSORS)
    path.write_bytes(b"nonsense")
    with pytest.raises(MemoryDamaged):
        shelf.read()
    shelf.put_aside()
    assert shelf.read() is None
    shelf.write(state, 39.0, 0.0)
    assert (folder / "camera-porch" / ASIDE / TENSORS).read_bytes() == b"nonsense"
    assert shelf.read() is not None


def test_a_disk_that_takes_nothing_is_said_without_a_path(tmp_path, state):
    (tmp_path / "memories").write_text("a file where a folder should be")
    with pytest.raises(MemoryNotSaved, match="porch was not saved") as caught:
        Shelf(tmp_path / "memories", "porch", FIT).write(state, 39.0, 0.0)
    assert str(tmp_path) not in str(caught.value)


AWAY = Archived(
    CODEC,
    (),
    (),
    0,
    (
        Away(
            File("ab" * 16 + ".run", "cd" * 32, 5000),
            70,
            wide=False,
            spans=(Span(0, 40, 1.0, 10, 9), Span(40, 70, 2.0, 30, 9)),
            landmarks=torch.zeros(2, SHAPE.layers, SHAPE.kv_heads, SHAPE.head_dim).bfloat16(),
        ),
    ),
)


@pytest.mark.parametrize(
    ("forge", "words"),
    [
        (_swap("archive.away.0.file", lambda x: x[:-1]), "archive.away.0.file"),
        (_swap("archive.away.0.sha256", lambda x: x.int()), "archive.away.0.sha256"),
        (_swap("archive.away.0.numbers", _put(71, 1)), "lost tokens"),
        (_swap("archive.away.0.numbers", _put(2, 2)), "lost tokens"),
        (_swap("archive.away.0.numbers", _put(-1, 0)), "no size"),
        (_swap("archive.away.0.steps", _put(0, 1, 3)), "takes no place"),
        (_swap("archive.away.0.steps", _put(39, 1, 0)), "do not follow"),
        (_swap("archive.away.0.steps", _put(-5, 0, 2)), "do not follow"),
    ],
)
def test_a_forged_name_of_a_file_is_damaged_and_no_path_can_be_made_of_it(
    written, state, forge, words
):
    manifest = Manifest.read(file(written, MANIFEST).read_bytes())
    manifest = manifest.model_copy(update={"runs": 0, "alone": 0, "away": 1})
    tensors = to_tensors(replace(state, archive=AWAY))
    read_back = from_tensors(dict(tensors), manifest, FIT).archive
    assert read_back is not None
    assert read_back.away[0].file == AWAY.away[0].file
    assert read_back.away[0].spans == AWAY.away[0].spans
    with pytest.raises(MemoryDamaged, match=words):
        from_tensors(forge(tensors), manifest, FIT)
