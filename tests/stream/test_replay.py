"""A source through the whole pipeline without a server, on a tiny random checkpoint folder."""

from __future__ import annotations

import asyncio
import os
import threading
import time
from pathlib import Path

import pytest

from core.errors import ConfigError, ModelLoadFailed, SourceUnavailable
from memory.pool import KVShape
from models.loading import load_model
from stream.commands.run import check
from stream.compose import capacity, open_house
from stream.replay import RecordedPace, Replay
from stream.settings import MemorySettings, Settings
from stream.sources import MaxPace, open_source
from tests.tiny import save


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return save(tmp_path_factory.mktemp("model"))


def settings(folder: Path, **sections) -> Settings:
    sections.setdefault("answer", {"max_tokens": 12})
    return Settings.model_validate(
        {"model": {"name": str(folder)}, "image": {"max_pixels": 96 * 96}, **sections}
    )


async def play(chosen: Settings, url: str, questions, pace=None, **kwargs):
    pace = pace or MaxPace()
    async with open_house(chosen, pace=pace) as house:
        replay = Replay(house, questions, max_tokens=12, **kwargs)
        return await replay.run(lambda: open_source(url, pace=pace), url)


async def test_questions_are_asked_at_their_time_and_nothing_is_lost(folder):
    heard: dict[float, str] = {}

    def start(asked_at, text):
        heard[asked_at] = ""

        def hear(delta):
            heard[asked_at] += delta

        return hear

    asked, summary = await play(
        settings(folder), "demo:shapes?seed=3", [(4.0, "where?"), (1.6, "what?")],
        duration=6.0, on_start=start,
    )  # fmt: skip
    assert [one.asked_at for one in asked] == [1.6, 4.0]
    for one in asked:
        assert one.result.finish_reason in ("stop", "length")
        assert one.result.text == heard[one.asked_at]
        (evidence,) = one.result.evidence
        assert evidence.t_end < one.asked_at, "nothing from later may be known"
        assert one.asked_at - evidence.t_end < 0.6, "everything earlier must be known"
    assert summary.frames_dropped == summary.frames_skipped == summary.overload_changes == 0
    assert summary.frames_remembered == 24  # six seconds at 4 fps
    assert summary.tokens_kept < summary.tokens_encoded
    assert summary.memory_held <= summary.memory_capacity


async def test_a_question_for_a_time_after_the_end_of_a_replay_is_answered_by_saying_so(folder):
    asked, _ = await play(
        settings(folder), "demo:shapes?seed=3", [(1.0, "what?"), (9.0, "where?")], duration=2.0
    )
    assert [(one.asked_at, one.result.finish_reason) for one in asked][1] == (9.0, "error")
    assert "stopped at 2 s" in asked[1].result.error
    assert asked[0].result.error is None


async def test_playing_twice_gives_the_same_answers(folder):
    runs = []
    for _ in range(2):
        asked, summary = await play(
            settings(folder), "demo:shapes?seed=5", [(3.0, "what?")], duration=4.0
        )
        runs.append((asked[0].result.text, summary.tokens_kept))
    assert runs[0] == runs[1]


async def test_a_recording_at_its_own_speed_waits_for_a_slow_reader_and_gives_nothing_up(folder):
    waited = asyncio.Event()

    async def held_up(segment, steps) -> None:
        """Each of the first segments takes longer than the frames that come meanwhile."""
        if segment is not None and segment.index < 8:
            await asyncio.sleep(0.12)
        waited.set()

    chosen = settings(
        folder,
        sampling={"fps": 40, "buffer_frames": 2},
        overload={"target_lag_s": 0.001, "patience_s": 0.001},
    )
    _, summary = await play(
        chosen, "demo:shapes?seed=3&size=64x64", [], RecordedPace(), duration=1.0, witness=held_up
    )
    assert waited.is_set()
    assert summary.lag_p95_ms is not None
    assert summary.lag_p95_ms > 1, "or there would have been no reason to give anything up"
    assert summary.frames_dropped == summary.frames_skipped == summary.overload_changes == 0
    assert summary.frames_remembered == 40


def test_a_recording_at_its_own_speed_is_held_until_each_frame_is_due():
    pacer, stop = RecordedPace().pacer(), threading.Event()
    pacer.wait(0.0, stop)
    began = time.monotonic()
    pacer.wait(0.2, stop)
    assert time.monotonic() - began >= 0.15
    stop.set()
    pacer.wait(9.0, stop)  # returns at once, or this test would take long


async def test_a_file_that_is_not_there_is_a_clear_error(folder, tmp_path):
    with pytest.raises(SourceUnavailable, match="gone"):
        await play(settings(folder), str(tmp_path / "gone.mp4"), [])


async def test_a_question_after_the_end_of_a_file_is_asked_at_its_end(folder, tmp_path):
    from tests.rtsp.media import write_counter_video

    path = tmp_path / "counter.mp4"
    write_counter_video(path, seconds=2.0, fps=10)
    asked, summary = await play(settings(folder), str(path), [(90.0, "what?")])
    assert asked[0].result.finish_reason in ("stop", "length")
    assert summary.frames_remembered == 8


def test_a_model_folder_without_a_file_is_refused_by_name(folder, tmp_path):
    for missing in ("config.json", "tokenizer_config.json", "model.safetensors"):
        broken = tmp_path / missing.replace(".", "-")
        broken.mkdir()
        for file in folder.iterdir():
            if file.name != missing:
                (broken / file.name).symlink_to(file)
        with pytest.raises(ModelLoadFailed, match=missing.split(".")[-1]):
            load_model(str(broken))


def test_a_folder_of_another_architecture_is_refused(tmp_path):
    (tmp_path / "config.json").write_text('{"model_type": "gpt2"}')
    (tmp_path / "tokenizer_config.json").write_text("{}")
    (tmp_path / "model.safetensors").write_bytes(b"")
    with pytest.raises(ModelLoadFailed, match="gpt2"):
        load_model(str(tmp_path))


@pytest.mark.parametrize(
    ("capacity_tokens", "max_bytes", "expected"),
    [(512, None, 512), (512, 10**9, 512), (512, 100 * 1024, 96), (64, 100 * 1024, 64)],
)
def test_capacity_in_bytes_lowers_that_in_tokens_to_whole_pages(
    capacity_tokens, max_bytes, expected
):
    shape = KVShape(layers=4, kv_heads=2, head_dim=16)  # 1024 bytes per token in float32
    memory = MemorySettings(capacity=capacity_tokens, max_bytes=max_bytes, page_size=16)
    assert capacity(shape, memory) == expected
    if max_bytes is not None:
        assert expected * shape.bytes_per_token <= max_bytes


def test_bytes_that_hold_no_page_are_refused():
    with pytest.raises(ConfigError, match=r"memory\.max_bytes"):
        capacity(KVShape(4, 2, 16), MemorySettings(max_bytes=2048))


async def test_a_pipe_is_not_opened_before_it_is_played(tmp_path):
    """What is read of it for a check is gone, and so is whoever writes it."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    async with asyncio.timeout(10):  # opened, it would wait for somebody who writes
        await check(str(pipe))
        await check(f"file:{pipe}")
    with pytest.raises(SourceUnavailable):
        await check(str(tmp_path / "none.mp4"))
    with pytest.raises(SourceUnavailable):
        await check(str(tmp_path / ("long" * 100)))


async def test_a_camera_that_is_away_is_no_mistake():
    """It may be back when the model is loaded."""
    await check("rtsp://127.0.0.1:1/none")
