"""`lookout eval clips`: a film of our own through the real pipeline, and wrong calls."""

from __future__ import annotations

import json
from contextlib import redirect_stdout
from dataclasses import dataclass
from io import StringIO
from typing import Any

import pytest
import torch

from evaluation.catalog import EVALUATIONS
from evaluation.clips.command import main
from tests.evaluation.clips.film import tree, write_film, write_questions


@dataclass(frozen=True)
class Run:
    """What one call of the command left behind."""

    status: int
    shown: str
    result: dict[str, Any]


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """One call for all tests: loading the model is most of it."""
    folder = tmp_path_factory.mktemp("clips")
    questions = write_questions(folder / "q.yaml", tree(write_film(folder / "film.mp4")))
    out, shown = folder / "result.json", StringIO()
    threads = torch.get_num_threads()
    call = ["--clips", str(folder), "--questions", str(questions), "--json", str(out)]
    with redirect_stdout(shown):
        status = EVALUATIONS["clips"].main(call)
    torch.set_num_threads(threads)
    return Run(status, shown.getvalue(), json.loads(out.read_text()))


def test_every_question_is_scored_for_each_clip_and_over_all(run):
    assert run.status == 0
    rows = run.result["tasks"]
    counts = {"moving": 2, "direction": 4, "count": 1, "colour": 1, "all": 8}
    assert {kind: row["n"] for kind, row in rows.items()} == counts
    assert run.result["clips"] == {"film.mp4": rows}
    assert all({"accuracy", "n", "blank", "most_frequent"} <= row.keys() for row in rows.values())
    assert "film.mp4" in run.shown and "within one" in run.shown
    assert "8 questions about 2 passages" in run.shown


def test_directions_are_asked_in_four_turns_and_the_model_sees_them_turned(run):
    asked = [answer for answer in run.result["answers"] if answer["kind"] == "direction"]
    assert [answer["truth"] for answer in asked] == ["right", "up", "left", "down"]
    # The same film, so only the turns can make the answers differ.
    assert len({answer["answer"] for answer in asked}) >= 3, asked


def test_a_drawn_square_is_seen_in_its_colour_and_better_than_black_video(run):
    colour = next(answer for answer in run.result["answers"] if answer["kind"] == "colour")
    assert colour["right"], colour
    every = run.result["tasks"]["all"]
    assert every["accuracy"] > every["blank"]


def test_answers_do_not_say_that_a_recording_is_old(run):
    said = [answer[key] for answer in run.result["answers"] for key in ("answer", "blank")]
    assert not [text for text in said if "newest picture" in text]


@pytest.mark.parametrize(
    ("spoil", "status", "message"),
    [
        (lambda film, questions: film.unlink(), 2, "lacks film.mp4"),
        (lambda film, questions: film.write_bytes(b"other"), 1, "damaged or another file"),
        (lambda film, questions: questions.unlink(), 2, "cannot be read"),
    ],
)
def test_a_wrong_call_ends_with_one_line(tmp_path, capsys, spoil, status, message):
    film = tmp_path / "film.mp4"
    film.write_bytes(b"of no importance")
    questions = write_questions(tmp_path / "q.yaml", tree(film))
    spoil(film, questions)
    assert main(["--clips", str(tmp_path), "--questions", str(questions)]) == status
    error = capsys.readouterr().err
    assert message in error and error.count("\n") == 1


def test_the_folder_must_be_given(capsys):
    with pytest.raises(SystemExit) as ended:
        main([])
    assert ended.value.code == 2
    assert "--clips" in capsys.readouterr().err
