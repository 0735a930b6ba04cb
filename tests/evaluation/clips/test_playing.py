"""Files through the real pipeline with a tiny random model: what is asked, and what goes wrong."""

from __future__ import annotations

import pytest

from core.errors import AnswerError, SourceUnavailable
from evaluation.clips.playing import Player
from evaluation.clips.questions import Question
from evaluation.clips.views import dark, turn
from stream.compose import open_house
from stream.settings import Settings
from stream.sources import MaxPace
from tests.evaluation.clips.film import write_film
from tests.tiny import save


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return save(tmp_path_factory.mktemp("model"))


def house(folder):
    chosen = {
        "model": {"name": str(folder)},
        "image": {"max_pixels": 96 * 96},
        "answer": {"max_tokens": 12, "max_question_chars": 100},
    }
    return open_house(Settings.model_validate(chosen), pace=MaxPace())


def question(at: float, text: str) -> Question:
    return Question("film.mp4", 0, "moving", text, at, "yes")


async def test_answers_stand_in_the_order_of_the_questions_and_repeat(folder, tmp_path):
    film = write_film(tmp_path / "a film, is it? #1.mp4")
    asked = [question(4.0, "what?"), question(1.1, "where?"), question(4.0, "where?")]
    async with house(folder) as opened:
        player = Player(opened, 12)
        first = await player.play(film, turn(0), asked)
        again = await player.play(film, turn(0), asked[::-1])
        black = await player.play(film, dark, asked)
    assert len(first) == 3
    assert again == first[::-1]
    assert black != first


async def test_what_was_not_answered_is_an_error_and_no_wrong_answer(folder, tmp_path):
    film = write_film(tmp_path / "film.mp4")
    async with house(folder) as opened:
        with pytest.raises(AnswerError, match=r"film\.mp4 at 2 s"):
            await Player(opened, 12).play(film, turn(0), [question(2.0, "why? " * 50)])


async def test_a_file_that_is_no_video_is_an_error(folder, tmp_path):
    film = tmp_path / "film.mp4"
    film.write_bytes(b"of no importance")
    async with house(folder) as opened:
        with pytest.raises(SourceUnavailable):
            await Player(opened, 12).play(film, turn(0), [question(2.0, "why?")])
