"""Memories side by side hold and answer as each alone, and as the live pipeline."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from engine.side_by_side import Place, SideBySide
from evaluation.memory.results import BLACK, DENSE
from evaluation.memory.streams import FPS, Put, of_scene
from evaluation.memory.watching import PAGE, Watcher, places
from evaluation.responders import Excerpt, PipelineResponder
from evaluation.responders import Put as Asked
from evaluation.scenes import Posed, Scene
from memory.policies.sink_window import SinkWindow
from memory.presets import LOOKOUT, PRESETS, RECENT_4, SINK_WINDOW, room
from models.loading import load_model
from pruning.uniform import Uniform
from stream.compose import open_house
from stream.settings import Settings
from stream.sources import MaxPace
from tests.evaluation.pruning.scenes import SEED, folder
from worlds.catalog import open_world
from worlds.questions.moment import Question

TOKENS = 192
STEPS = 12
BUDGET = 6
TEXTS = ("what do you see?", "what was it?")


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    return folder(tmp_path_factory.mktemp("model"))


@pytest.fixture(scope="module")
def model(checkpoint):
    return load_model(str(checkpoint))


@pytest.fixture(scope="module")
def stream():
    scene = Scene(open_world("busy", SEED), f"demo:busy?seed={SEED}", 12.0, STEPS, FPS)
    steps = (3, STEPS - 1)
    posed = [Posed("colour", s, Question("colour", t, "Red.")) for s in steps for t in TEXTS]
    return of_scene((scene, tuple(posed)), aged=False)


def side_by_side(model, presets, dense=STEPS):
    spots = places(model, presets, TOKENS, dense)
    return SideBySide(model, spots, Uniform(), BUDGET, words=12)


def watched(model, presets, stream, dense=STEPS):
    with side_by_side(model, presets, dense) as memories:
        return list(Watcher(memories, Uniform(), dense).rows("now", stream))


@pytest.fixture(scope="module")
def rows(model, stream):
    return watched(model, PRESETS, stream)


def test_every_question_has_an_answer_of_every_memory_and_of_both_controls(rows, stream):
    assert [row.question for row in rows] == [put.text for put in stream.puts]
    for row in rows:
        assert set(row.said) == {preset.name for preset in PRESETS} | {DENSE, BLACK}
    assert rows[-1].said[DENSE] != rows[-1].said[BLACK]
    assert rows[-1].said[DENSE] != rows[-1].said[RECENT_4]


def test_a_memory_answers_side_by_side_as_it_does_alone(model, stream, rows):
    chosen = [preset for preset in PRESETS if preset.name in (RECENT_4, LOOKOUT)]
    for one, row in zip(watched(model, chosen, stream), rows, strict=True):
        for preset in chosen:
            assert one.said[preset.name] == row.said[preset.name]
            assert one.read[preset.name] == row.read[preset.name]


def test_nothing_holds_more_than_its_bytes(model, rows):
    most = TOKENS // PAGE * PAGE * model.shape.bytes_per_token
    for row in rows:
        for preset in PRESETS:
            assert 0 < row.held[preset.name] <= most
    assert rows[-1].held[DENSE] > most, "the stream was too short to tell"
    assert rows[-1].held[RECENT_4] < rows[-1].held[SINK_WINDOW]


def test_what_was_given_up_is_read_again_by_a_question_about_the_past_only(rows):
    now, past = rows[-2:]
    assert len(now.read[LOOKOUT]) == 1
    assert len(past.read[LOOKOUT]) > 1
    assert past.read[LOOKOUT][1][0] < past.read[LOOKOUT][0][0]
    assert len(past.read[SINK_WINDOW]) == 1


@pytest.mark.parametrize("name", [SINK_WINDOW, LOOKOUT])
async def test_answers_are_those_of_the_live_pipeline(checkpoint, model, stream, name):
    preset = next(preset for preset in PRESETS if preset.name == name)
    size = room(preset, model.shape, TOKENS, PAGE)
    chosen = Settings.model_validate(
        {
            "model": {"name": str(checkpoint)},
            "memory": {"capacity": size.capacity, "archive": {"max_bytes": size.archive_bytes}},
            "sampling": {"fps": FPS},
            "segment": {"max_steps": 1},
            "answer": {"stale_after_s": 1e9},
            "engine": {"max_cameras": 1},
            "pruning": {"budget": BUDGET, "policy": {"method": "uniform"}},
        }
    )
    scene = Scene(open_world("busy", SEED), f"demo:busy?seed={SEED}", 12.0, STEPS, FPS)
    async with open_house(chosen, pace=MaxPace()) as house:
        puts = [Asked(put.step, put.text) for put in stream.puts]
        replies = await PipelineResponder(house).answers(scene, puts)
    world = Excerpt(scene)
    large = replace(stream, picture=lambda t: world.frame(t))  # as the live camera draws them
    with SideBySide(
        model, places(model, [preset], TOKENS, STEPS), Uniform(), BUDGET, segment_steps=1
    ) as memories:
        rows = list(Watcher(memories, Uniform(), STEPS, 1).rows("now", large))
    assert [reply.text for reply in replies] == [row.said[name] for row in rows]
    oldest = [min(first for first, _ in row.read[name]) for row in rows]
    assert [reply.since for reply in replies] == oldest
    assert rows[-1].said[name] != rows[-1].said[BLACK]


def test_the_control_without_a_bound_is_given_up_when_its_room_ends(model, stream):
    found = watched(model, PRESETS[:1], stream, dense=6)
    assert [DENSE in row.said for row in found] == [True, True, False, False]


def test_everything_is_given_back_also_after_a_failure(model, stream):
    with side_by_side(model, PRESETS) as memories:
        free = memories.pool.free
        watcher = Watcher(memories, Uniform(), STEPS)
        list(watcher.rows("now", stream))
        assert memories.pool.free == free
        rows = watcher.rows("now", stream)
        next(rows)
        assert memories.pool.free < free
        rows.close()
        assert memories.pool.free == free


def test_a_memory_is_opened_once(model):
    place = Place("one", SinkWindow(), 128)
    with SideBySide(model, [place], Uniform(), BUDGET) as memories:
        memories.open(["one"])
        with pytest.raises(ValueError, match="one is open"):
            memories.open(["one"])
        memories.drop("one")
        memories.drop("one")
        memories.open(["one"])


def test_a_put_without_an_age_counts_as_reached(rows):
    assert all(row.reached(name) for row in rows for name in row.said)
    assert Put(0, "colour", "?", "!").age is None
