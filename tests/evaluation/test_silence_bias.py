"""How readily a model speaks is chosen by what its words were worth, and written beside it."""

from __future__ import annotations

import json
from itertools import islice

import pytest

from core.errors import DataError
from evaluation.responders import Reply
from evaluation.silence import BIASES, SEEDS, best, choose, main, write
from evaluation.suites import SUITES
from tests.evaluation.acting import Oracle
from worlds.wording import STANDING

LIMIT = 2


class Leaning:
    """Knows the truth of all scenes, and needs the right bias to say that and nothing else.

    Below `chatty` it also speaks when nothing happened, above `timid` it never does.
    """

    def __init__(self, oracle: Oracle, bias: float, chatty: float, timid: float) -> None:
        self._oracle = oracle
        self._chatters, self._dares = bias < chatty, bias <= timid
        self.seen: list[str] = []

    async def answers(self, scene, puts):
        self.seen.append(scene.url)
        assert all(put.standing for put in puts)
        true = await self._oracle.answers(scene, puts)
        idle = "A star appeared." if self._chatters else ""
        return [Reply((one.text or idle) if self._dares else "", 0.0) for one in true]


@pytest.fixture(scope="module")
def oracle() -> Oracle:
    draw = SUITES["standing"].footage.draw
    return Oracle(watched=[one for seed in SEEDS for one in islice(draw(seed, STANDING), LIMIT)])


@pytest.mark.parametrize(
    ("chatty", "timid", "chosen"), [(0.5, 1.0, 0.5), (1.5, 2.0, 1.5), (0, 9, 0), (2.5, 9, 3)]
)
async def test_the_bias_is_chosen_at_which_it_says_what_happens_and_nothing_else(
    oracle, chatty, timid, chosen
):
    asked = []

    def at(bias: float) -> Leaning:
        asked.append(Leaning(oracle, bias, chatty, timid))
        return asked[-1]

    found = await choose(at, SEEDS, LIMIT)
    assert tuple(found) == BIASES
    for bias, f1 in found.items():
        if bias > timid:
            assert f1 == 0, "it missed everything"
        elif bias >= chatty:
            assert f1 == 1
        else:
            assert 0 < f1 < 1, "it said what is true, and more"
    assert best(found) == chosen
    urls = asked[0].seen
    assert len(set(urls) - {"black video"}) == LIMIT * len(SEEDS), "scenes of every seed"
    assert all(one.seen == urls for one in asked), "the same for every bias"


def test_of_equally_good_ones_the_least_is_taken():
    assert best({0.0: 0.5, 0.5: 0.8, 1.0: 0.8, 1.5: 0.7}) == 0.5
    assert best({1.0: 0.0, 0.0: 0.0}) == 0.0


def test_what_else_stands_beside_the_weights_stays(tmp_path):
    file = tmp_path / "generation_config.json"
    file.write_text(json.dumps({"eos_token_id": [1, 2], "lookout": {"other": 1}}))
    for bias in (1.5, 0.5):
        write(tmp_path, bias)
    assert json.loads(file.read_text()) == {
        "eos_token_id": [1, 2],
        "lookout": {"other": 1, "silence_bias": 0.5},
    }


@pytest.mark.parametrize("text", [None, "no json", "[]", '{"lookout": 3}'])
def test_a_file_that_is_no_settings_is_refused_and_stays_as_it_is(tmp_path, text):
    file = tmp_path / "generation_config.json"
    if text is not None:
        file.write_text(text)
    with pytest.raises(DataError, match=r"generation_config\.json"):
        write(tmp_path, 1.0)
    assert text is None or file.read_text() == text


def test_a_folder_without_a_model_is_a_failure_said_in_one_line(tmp_path, capsys):
    assert main([str(tmp_path / "nothing")]) == 1
    assert capsys.readouterr().err.count("\n") == 1
