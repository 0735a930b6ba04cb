"""`lookout eval twins`: who knows everything is always right, who sees nothing never twice."""

from __future__ import annotations

import json
import threading

import numpy as np
import pytest
import torch
from transformers.utils import logging

from evaluation.catalog import EVALUATIONS
from evaluation.paired.command import main as paired
from evaluation.twins.collection import draw, pairs
from evaluation.twins.command import main, scores, shown
from evaluation.twins.families import FAMILIES
from evaluation.twins.playing import SIZE, FilmReader, PipelinePlayer, play
from evaluation.twins.views import Blank, Middle
from stream.compose import open_house
from stream.configuration import load_settings
from stream.sources import MaxPace
from stream.sources.base import SourceStats
from stream.sources.sampler import Sampler

LIMIT = 12
DYNAMIC = ("reversible", "direction", "sequence")


class Oracle:
    """Knows the log."""

    async def answer(self, pair, member):
        return f"It was {member.truth}."


class Stubborn:
    """Says the same to the same question, whatever is shown."""

    def __init__(self, place: int) -> None:
        self._place = place

    async def answer(self, pair, member):
        return pair.options[self._place % len(pair.options)]


@pytest.fixture
def quiet_model():
    """One thread of torch, and no progress bar: its watcher would outlive the test."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    logging.disable_progress_bar()
    yield
    logging.enable_progress_bar()
    torch.set_num_threads(before)


def measured(result, family, name):
    return result["tasks"][family]["measures"][name]["value"]


async def test_who_knows_the_log_is_right_about_every_member():
    result = scores({"whole": await play(Oracle(), pairs(limit=LIMIT))})
    for family in DYNAMIC:
        assert measured(result, family, "acc") == measured(result, family, "p_acc") == 1
        assert measured(result, family, "differ") == 1
    assert measured(result, "static", "static_p_acc") == 1
    assert measured(result, "all", "p_acc") == 1
    assert result["unparsable"] == result["incomplete"] == []


@pytest.mark.parametrize("place", [0, 1, 2])
async def test_who_always_says_the_same_is_never_right_about_a_dynamic_pair(place):
    result = scores({"whole": await play(Stubborn(place), pairs(limit=LIMIT))})
    for family in DYNAMIC:
        assert measured(result, family, "p_acc") == 0
        assert measured(result, family, "acc") <= 0.5
    assert measured(result, "static", "static_agree") == 1


async def test_the_file_of_answers_is_scored_alike_by_the_paired_scorer(tmp_path):
    said = await play(Oracle(), pairs(limit=4))
    for line in said[::3]:
        line["answer"] = "I do not know."
    answers, out = tmp_path / "answers.jsonl", tmp_path / "result.json"
    answers.write_text("".join(json.dumps(line) + "\n" for line in said))
    assert paired([str(answers), "--json", str(out), "--groups", "16"]) == 0
    ours, theirs = scores({"whole": said})["tasks"], json.loads(out.read_text())["tasks"]
    assert {name: task["measures"] for name, task in ours.items()} == {
        name: task["measures"] for name, task in theirs.items()
    }
    assert 0 < ours["all"]["measures"]["p_acc"]["value"] < 1


async def test_scores_are_split_by_change_and_by_combination():
    result = scores({"whole": await play(Oracle(), pairs(limit=LIMIT))})
    assert {"open or close", "take or put down", "colour", "first"} <= set(result["change"])
    assert {f"{family}, held out" for family in FAMILIES} <= set(result["combination"])
    text = "\n".join(shown(result))
    assert "take or put down" in text
    assert "direction, trained" in text


def test_a_film_has_every_frame_of_its_stretch_in_order_and_then_ends():
    film = draw("direction", 0).members[0].shown
    reader, stats = FilmReader(film, film.last), SourceStats()
    frames = list(reader.frames(Sampler(4.0), stats, threading.Event()))
    assert [frame.pts for frame in frames] == [n / 4 for n in range(int(film.last * 4) + 1)]
    assert stats.decoded == len(frames)
    for frame in (frames[0], frames[-1]):
        assert np.array_equal(frame.pixels, film.frame(frame.pts, SIZE))


def test_who_sees_no_motion_sees_one_picture_or_none():
    film = draw("direction", 0).members[0].shown
    assert not Blank(film).frame(1.0, SIZE).any()
    still = Middle(film)
    assert np.array_equal(still.frame(0.0, SIZE), still.frame(film.last, SIZE))
    assert np.array_equal(still.frame(0.0, SIZE), film.frame(film.last / 2, SIZE))


async def test_after_blank_video_the_model_says_the_same_of_both_members(quiet_model):
    async with open_house(load_settings(), pace=MaxPace()) as house:
        said = await play(PipelinePlayer(house, Blank), [draw(f, 0) for f in DYNAMIC])
    for one, other in zip(said[::2], said[1::2], strict=True):
        assert one["answer"] == other["answer"] != ""


def test_the_command_plays_through_the_pipeline_and_writes_what_it_found(
    quiet_model, tmp_path, capsys
):
    answers, out = tmp_path / "a.jsonl", tmp_path / "r.json"
    call = ["--family", "direction", "--family", "static", "--limit", "1", "--blank", "--middle"]
    job = EVALUATIONS["twins"].main
    assert job([*call, "--answers", str(answers), "--json", str(out)]) == 0
    result = json.loads(out.read_text())
    assert set(result["tasks"]) == {"direction", "static", "all"}
    assert result["tasks"]["direction"]["blank"] is not None
    assert result["set"]["pairs"] == 500
    assert result["motionless"]["blank"]["direction"]["measures"]["p_acc"]["value"] == 0
    assert set(result["motionless"]) == {"blank", "middle"}
    assert "watching blank video instead" in capsys.readouterr().out
    lines = [json.loads(line) for line in answers.read_text().splitlines()]
    assert len(lines) == 4
    assert all(line["answer"] for line in lines)
    for name in ("blank", "middle"):
        assert len((tmp_path / f"a.{name}.jsonl").read_text().splitlines()) == 4
    assert paired([str(answers), "--blank", str(tmp_path / "a.blank.jsonl")]) == 0


@pytest.mark.parametrize("limit", ["0", "501", "many"])
def test_a_limit_outside_the_set_is_refused(limit):
    with pytest.raises(SystemExit):
        main(["--limit", limit])


def test_a_result_that_cannot_be_written_is_refused_before_anything_is_played(tmp_path, capsys):
    assert main(["--limit", "1", "--json", str(tmp_path / "no" / "r.json")]) == 2
    assert "cannot be written" in capsys.readouterr().err
