"""Forwards of one word over static buffers, beside the ordinary ones."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map

from engine.decoding import DecodeForward, Graphs, Recorder, Repeating, Work, graphed, sizes
from engine.limits import Limits
from engine.rows import Row
from engine.runner import Runner
from memory.observation import Observed
from memory.pool import PagePool
from memory.readers.reader import Reader
from memory.readers.torch_reader import TorchReader
from memory.readers.triton_reader import TritonReader
from memory.scratch import Scratch
from memory.view import View
from models.qwen3_vl import Qwen3VL
from models.shapes import draw, load_shape
from tests.fakes.gathering import GatheringReader
from tests.needs import need
from tests.tiny import ours

PAGE = 4
MOST = {"memory_tokens": 24, "scratch_tokens": 16}


class Noted(TorchDispatchMode):
    """Notes every operation with its arguments, numbers from the host as they then are."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[tuple[Any, Any, Any, Any]] = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        out = func(*args, **(kwargs or {}))
        self.calls.append((func, args, kwargs or {}, out))
        return out


class Traced(Recorder):
    """What a CUDA graph does, on the CPU: what was done once is done again on the same tensors."""

    def __init__(self) -> None:
        self.recorded = 0

    def record(self, work: Work) -> Work:
        self.recorded += 1
        with Noted() as noted:
            result = work()

        def replay() -> Tensor:
            now: dict[int, Any] = {}  # what was made then: what is made now
            for func, args, kwargs, before in noted.calls:
                given, named = tree_map(partial(_renewed, now), (args, kwargs))
                made = func(*given, **named)
                now |= {id(x): y for x, y in zip(*map(tree_leaves, (before, made)), strict=True)}
            return now[id(result)]

        return torch.inference_mode()(replay)


def _renewed(now: dict[int, Any], x: Any) -> Any:
    return now.get(id(x), x) if isinstance(x, Tensor) else x


class AllAlike(GatheringReader):
    """As the flash kernels: all heads read as much."""

    by_head = False


class Scene:
    """Answers that each remember something else and have begun to speak."""

    def __init__(
        self, memories: Sequence[int | None], device: str = "cpu", model: Qwen3VL | None = None
    ) -> None:
        self.model = model or ours(0, device)
        self.pool = PagePool(self.model.shape, 200, PAGE, device)
        draw = torch.Generator().manual_seed(0)
        for store in (self.pool.keys, self.pool.values):
            store.copy_(torch.randn(store.shape, generator=draw))
        self.memories = [None if n is None else self.view(n) for n in memories]
        self.scratches = [Scratch(self.pool, 16) for _ in memories]
        for number, scratch in enumerate(self.scratches):
            scratch.extend(1 + number % 5)
        self.position = 40

    def view(self, length: int, *, uneven: bool = False) -> View:
        """Some pages of the pool; if uneven, each head of each layer reads another part of them."""
        lease = self.pool.lease(self.pool.pages_for(length))
        table = [lease.take() for _ in range(lease.rights)]
        lengths = None
        if uneven:
            shape = self.pool.shape
            lengths = torch.arange(shape.layers * shape.kv_heads).view(shape.layers, -1) % length
            lengths[-1, -1] = length
        return View.of(table, length, PAGE, self.pool.device, lengths)

    def rows(self, ids: Sequence[int]) -> list[Row]:
        """The next word of each."""
        self.position += 1
        return [
            Row(self.model.lay_text([token], self.position + 3 * n), memory, scratch)
            for n, (token, memory, scratch) in enumerate(
                zip(ids, self.memories, self.scratches, strict=True)
            )
        ]

    def decoding(self, reader: Reader, recorder: Recorder, rows: int = 8) -> DecodeForward:
        return DecodeForward(self.model, self.pool, reader, rows=rows, recorder=recorder, **MOST)


def spoken(scene: Scene, runner: Runner, words: int) -> tuple[Tensor, Tensor]:
    """Logits of some words of all, and what the pool then holds."""
    ids = list(range(20, 20 + len(scene.scratches)))
    seen = []
    for _ in range(words):
        seen.append(runner.forward(scene.rows(ids)))
        ids = seen[-1].argmax(dim=-1).tolist()
    return torch.stack(seen), scene.pool.keys.clone()


def agree(
    memories: Sequence[int | None], reader: Reader, recorder: Recorder, words: int, rows: int = 8
) -> None:
    plain, other = Scene(memories), Scene(memories)
    wanted, stored = spoken(plain, Runner(plain.model, plain.pool, TorchReader()), words)
    decoding = other.decoding(reader, recorder, rows)
    got, found = spoken(other, Runner(other.model, other.pool, reader, decoding), words)
    assert torch.allclose(got, wanted, atol=1e-4)
    assert torch.allclose(found, stored, atol=1e-5)


@pytest.mark.parametrize("memories", [
    [9], [9, 24], [24, 1, 8], [5, None, 0, 17], [3, 20, None, 8, 24, 7, 1],
])  # fmt: skip
def test_recorded_forwards_give_the_logits_of_ordinary_ones(memories) -> None:
    """Over page borders, with and without memory, with rows that are missing."""
    recorder = Traced()
    agree(memories, GatheringReader(), recorder, words=10)
    assert recorder.recorded == 1, "one number of rows is recorded once"


def test_our_kernel_reads_static_tables_as_the_reference_reads_views() -> None:
    need(importlib.util.find_spec("triton") is not None, "triton")
    agree([9, None, 24], TritonReader(chunk=16), Repeating(), words=2)


def test_an_answer_that_joins_or_leaves_changes_nothing_for_the_others() -> None:
    scene = Scene([9, 24, 17])
    runner = Runner(
        scene.model, scene.pool, GatheringReader(), scene.decoding(GatheringReader(), Traced())
    )
    plain = Scene([9, 24, 17])
    eager = Runner(plain.model, plain.pool, TorchReader())
    for step, chosen in enumerate([[0], [0, 1, 2], [2, 0], [1], [0, 1, 2]]):
        ids = [30 + step, 40 + step, 50 + step]
        ours_, theirs = scene.rows(ids), plain.rows(ids)
        got = runner.forward([ours_[n] for n in chosen])
        wanted = eager.forward([theirs[n] for n in chosen])
        assert torch.allclose(got, wanted, atol=1e-4)


def test_an_answer_may_look_at_another_memory_with_every_word() -> None:
    scene, plain = Scene([9]), Scene([9])
    runner = Runner(
        scene.model, scene.pool, GatheringReader(), scene.decoding(GatheringReader(), Traced())
    )
    eager = Runner(plain.model, plain.pool, TorchReader())
    for length in (9, 12, 3, 24):
        for one in (scene, plain):
            one.memories = [one.view(length)]
        got, wanted = runner.forward(scene.rows([33])), eager.forward(plain.rows([33]))
        assert torch.allclose(got, wanted, atol=1e-4)


@pytest.mark.parametrize("reader", ["gathering", "triton"])
def test_heads_may_remember_different_numbers_of_tokens_and_others_take_their_place(reader) -> None:
    """A row's memory is uneven, then even, then none, and uneven again."""
    made: Reader = GatheringReader()
    recorder: Recorder = Traced()
    if reader == "triton":
        need(importlib.util.find_spec("triton") is not None, "triton")
        made, recorder = TritonReader(chunk=16), Repeating()
    scene, plain = Scene([9, 12]), Scene([9, 12])
    runner = Runner(scene.model, scene.pool, made, scene.decoding(made, recorder))
    eager = Runner(plain.model, plain.pool, TorchReader())
    for length, uneven in ((9, True), (12, False), (None, False), (17, True)):
        for one in (scene, plain):
            one.memories[0] = None if length is None else one.view(length, uneven=uneven)
        words = scene.rows([33, 34])
        assert runner._decoding.takes(words)
        got, wanted = runner.forward(words), eager.forward(plain.rows([33, 34]))
        assert torch.allclose(got, wanted, atol=1e-4)


def test_what_it_does_not_take_is_run_as_ever() -> None:
    scene = Scene([9, 9])
    decoding = scene.decoding(GatheringReader(), Traced(), rows=2)
    word = scene.rows([20, 21])
    assert decoding.takes(word)
    assert not decoding.takes([*word, word[0]]), "too many"
    two = Row(scene.model.lay_text([1, 2], 50), scene.memories[0], scene.scratches[0])
    assert not decoding.takes([two]), "two words"
    watched = Row(word[0].chunk, word[0].memory, word[0].scratch, Observed(4))
    assert not decoding.takes([watched]), "somebody notes what it asks"
    assert not decoding.takes([Row(word[0].chunk, scene.view(28), word[0].scratch)]), "too long"
    own = Row(word[0].chunk, scene.view(9, uneven=True), word[0].scratch)
    assert decoding.takes([own])
    flash = scene.decoding(AllAlike(), Traced())
    assert flash.takes(word) and not flash.takes([own]), "heads of their own"
    runner = Runner(scene.model, scene.pool, TorchReader(), decoding)
    assert runner.forward([two]).shape == (1, 320)


def test_what_was_said_before_does_not_change_when_more_is_said() -> None:
    scene = Scene([9])
    runner = Runner(
        scene.model, scene.pool, GatheringReader(), scene.decoding(GatheringReader(), Traced())
    )
    first = runner.forward(scene.rows([20]))
    copied = first.clone()
    runner.forward(scene.rows([77]))
    assert torch.equal(first, copied)


def test_a_forward_that_fails_leaves_the_scratches_as_they_were() -> None:
    class Broken(Recorder):
        def record(self, work: Work) -> Work:
            def fail() -> Tensor:
                raise RuntimeError("no")

            return fail

    scene = Scene([9, 4])
    runner = Runner(
        scene.model, scene.pool, GatheringReader(), scene.decoding(GatheringReader(), Broken())
    )
    held = [scratch.held for scratch in scene.scratches]
    with pytest.raises(RuntimeError, match="no"):
        runner.forward(scene.rows([20, 21]))
    assert [scratch.held for scratch in scene.scratches] == held


def test_everything_can_be_recorded_before_anybody_asks() -> None:
    scene = Scene([9, 9, 9])
    recorder = Traced()
    pool = PagePool(scene.model.shape, 200, PAGE)
    decoding = DecodeForward(
        scene.model, pool, GatheringReader(), rows=5, recorder=recorder, **MOST
    )
    decoding.prepare()
    assert recorder.recorded == 4  # 1, 2, 4 and 5
    assert pool.keys.isfinite().all()
    scene.pool = pool
    scene.scratches = [Scratch(pool, 16) for _ in range(3)]
    scene.memories = [None] * 3
    assert (
        Runner(scene.model, pool, GatheringReader(), decoding)
        .forward(scene.rows([20, 21, 22]))
        .isfinite()
        .all()
    )
    assert recorder.recorded == 4


def test_where_there_is_no_gpu_or_the_reader_needs_the_host_nothing_is_recorded() -> None:
    scene = Scene([9])
    assert graphed(scene.model, scene.pool, GatheringReader(), Limits()) is None
    with pytest.raises(ValueError, match="TorchReader computes on the host"):
        scene.decoding(TorchReader(), Repeating())


@pytest.mark.parametrize(("rows", "recorded"), [
    (1, [1]), (2, [1, 2]), (5, [1, 2, 4, 5]), (8, [1, 2, 4, 8]), (40, [1, 2, 4, 8, 16, 32, 40]),
])  # fmt: skip
def test_powers_of_two_are_recorded_up_to_as_many_rows_as_there_may_be(rows, recorded) -> None:
    assert sizes(rows) == recorded


def test_more_than_thirty_two_answers_are_spoken_by_one_recorded_forward() -> None:
    agree([5] * 33, GatheringReader(), recorder := Traced(), words=2, rows=33)
    assert recorder.recorded == 1


@pytest.mark.gpu
@pytest.mark.parametrize("memories", [[9], [5, None, 0, 17], [3, 20, None, 8, 24, 7, 1]])
def test_cuda_graphs_give_the_logits_of_ordinary_forwards(memories) -> None:
    if not torch.cuda.is_available():
        pytest.skip("needs a CUDA device")
    plain, other = (Scene(memories, "cuda") for _ in range(2))
    wanted, _ = spoken(plain, Runner(plain.model, plain.pool, TorchReader()), 10)
    reader = TritonReader()
    decoding = other.decoding(reader, Graphs(other.pool.device))
    got, _ = spoken(other, Runner(other.model, other.pool, reader, decoding), 10)
    assert torch.allclose(got, wanted, atol=1e-3)


@pytest.mark.gpu
def test_cuda_graphs_read_heads_that_hold_different_numbers_of_tokens() -> None:
    if not torch.cuda.is_available():
        pytest.skip("needs a CUDA device")
    plain, other = (Scene([9, 12], "cuda") for _ in range(2))
    for scene in (plain, other):
        scene.memories = [scene.view(17, uneven=True), scene.view(9)]
    wanted, _ = spoken(plain, Runner(plain.model, plain.pool, TorchReader()), 10)
    decoding = other.decoding(TritonReader(), Graphs(other.pool.device))
    got, _ = spoken(other, Runner(other.model, other.pool, TritonReader(), decoding), 10)
    assert torch.allclose(got, wanted, atol=1e-3)


@pytest.mark.gpu
def test_cuda_graphs_hold_what_torch_compiled() -> None:
    if not torch.cuda.is_available():
        pytest.skip("needs a CUDA device")
    torch._dynamo.reset()
    shape, cuda = load_shape("tiny"), torch.device("cuda")
    model, compiled = (
        draw(shape, cuda, torch.float32, pixels=96 * 96, compiler=by) for by in (None, "inductor")
    )
    plain, other = Scene([9, None], "cuda", model), Scene([9, None], "cuda", compiled)
    wanted, _ = spoken(plain, Runner(plain.model, plain.pool, TorchReader()), 10)
    decoding = other.decoding(TritonReader(), Graphs(other.pool.device))
    got, _ = spoken(other, Runner(other.model, other.pool, TritonReader(), decoding), 10)
    assert torch.allclose(got, wanted, atol=1e-3)
    torch._dynamo.reset()
