"""`lookout eval clips`: a film of our own through the real pipeline, and wrong calls."""

from __future__ import annotations

import json

import pytest
import torch

from evaluation.catalog import EVALUATIONS
from evaluation.clips.command import main
from tests.evaluation.clips.film import tree, write_film, write_questions


@pytest.fixture
def threads():
    """The command sets the number of threads for the process."""
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def test_a_film_is_played_upright_turned_and_black_and_the_answers_are_scored(
    tmp_path, capsys, threads
):
    film = write_film(tmp_path / "film.mp4")
    questions = write_questions(tmp_path / "q.yaml", tree(film))
    out = tmp_path / "result.json"
    call = ["--clips", str(tmp_path), "--questions", str(questions), "--json", str(out)]
    assert EVALUATIONS["clips"].main(call) == 0
    result = json.loads(out.read_text())
    assert {kind: row["n"] for kind, row in result["tasks"].items()} == {
        "moving": 2,
        "direction": 4,
        "count": 1,
        "colour": 1,
        "all": 8,
    }
    assert result["clips"] == {"film.mp4": result["tasks"]}
    assert all({"accuracy", "n", "blank", "most_frequent"} <= row.keys() for row in
               result["tasks"].values())  # fmt: skip
    answers = result["answers"]
    assert [a["truth"] for a in answers if a["kind"] == "direction"] == [
        "right",
        "up",
        "left",
        "down",
    ]
    # A drawn square is what the model was made for: it must do better than on black video.
    colour = next(a for a in answers if a["kind"] == "colour")
    assert colour["right"], colour
    ways = [a["answer"] for a in answers if a["kind"] == "direction"]
    assert len(set(ways)) >= 3, ways
    assert result["tasks"]["all"]["accuracy"] > result["tasks"]["all"]["blank"]
    shown = capsys.readouterr().out
    assert "film.mp4" in shown and "within one" in shown and "8 questions about 2" in shown


@pytest.mark.parametrize(
    ("spoil", "status", "message"),
    [
        (lambda film, questions: film.unlink(), 2, "lacks film.mp4"),
        (lambda film, questions: film.write_bytes(b"other"), 1, "damaged or another file"),
        (lambda film, questions: questions.unlink(), 2, "cannot be read"),
    ],
)
def test_a_wrong_call_ends_with_one_line(tmp_path, capsys, threads, spoil, status, message):
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
