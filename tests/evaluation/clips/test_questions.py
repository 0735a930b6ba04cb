"""The file of questions: what it must be, and what a broken one is told."""

from __future__ import annotations

import os
import re
from collections import Counter
from pathlib import Path

import pytest

from core.errors import ConfigError, DataError
from evaluation.clips.kinds import KINDS, WAYS
from evaluation.clips.questions import find, load
from tests.evaluation.clips.film import tree, write_questions
from worlds.vocabulary import COLOURS
from worlds.wording import QUESTIONS

TRAINED_ON = "intel-previews-reel.mp4"  # its empty rooms are backgrounds of worlds


def test_it_asks_sixty_to_a_hundred_and_twenty_things_about_clips_that_are_not_trained_on():
    upright = [question for question in load().questions() if question.quarters == 0]
    assert 60 <= len(upright) <= 120
    assert TRAINED_ON not in load().clips


def test_no_fixed_answer_gets_far():
    truths: dict[str, Counter[str]] = {kind: Counter() for kind in KINDS}
    for question in load().questions():
        truths[question.kind][question.truth] += 1
    assert truths["moving"]["yes"] == truths["moving"]["no"]
    assert len({truths["direction"][way] for way in WAYS}) == 1
    for kind, found in truths.items():
        assert max(found.values()) <= 0.5 * found.total(), kind
        assert len(found) >= min(3, len(KINDS[kind].options)), kind


def test_moving_is_balanced_in_each_clip():
    for name in load().clips:
        truths = Counter(
            q.truth for q in load().questions() if (q.clip, q.kind) == (name, "moving")
        )
        assert truths["yes"] == truths["no"] > 0


def test_passages_follow_each_other_and_every_time_lies_in_one():
    for clip in load().clips.values():
        edges = [edge for passage in clip.passages for edge in passage.span]
        assert edges == sorted(edges)
        assert edges[-1] <= clip.duration


def test_every_question_is_one_that_the_model_was_taught():
    colour, thing = "|".join(COLOURS), "(?:thing|object)s?"
    slot = rf"(?:(?:moving|{colour}) {thing})"
    forms = {"moving": "moving", "direction": "direction", "count": "count", "colour": "colour"}
    for question in load().questions():
        known = [
            re.escape(form).replace(r"\{0\}", slot) for form in QUESTIONS[forms[question.kind]]
        ]
        assert any(re.fullmatch(form, question.text) for form in known), question.text


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda clip: clip.update(sha256="ab"), "sha256"),
        (lambda clip: clip.update(duration=4.0), "not within 0 to 4.0 s"),
        (lambda clip: clip["passages"][0]["ask"][0].update(at=[2.1]), "not within 0.0 to 2.0 s"),
        (lambda clip: clip["passages"][0]["ask"][0].update(truth=False), "truth"),
        (lambda clip: clip["passages"][0]["ask"][0].update(truth="maybe"), "allowed are yes, no"),
        (lambda clip: clip["passages"][0]["ask"][0].update(kind="smell"), "allowed are moving"),
        (lambda clip: clip["passages"][0]["ask"][0].update(at=[1.9, 1.9]), "asked twice at 1.9 s"),
        (lambda clip: clip["passages"][0].update(reason="?"), "Extra inputs"),
    ],
)
def test_a_broken_file_is_told_what_is_wrong_with_it(tmp_path, change, message):
    film = tmp_path / "film.mp4"
    film.write_bytes(b"of no importance")
    values = tree(film)
    change(values["clips"][film.name])
    with pytest.raises(DataError, match=message):
        load(write_questions(tmp_path / "q.yaml", values))


def test_what_is_no_yaml_and_what_is_not_there_are_told_apart(tmp_path):
    (tmp_path / "q.yaml").write_text("clips: [")
    with pytest.raises(DataError, match="is not YAML"):
        load(tmp_path / "q.yaml")
    with pytest.raises(ConfigError, match="cannot be read"):
        load(tmp_path / "nowhere.yaml")


def test_missing_and_damaged_clips_are_refused_by_name(tmp_path):
    film = tmp_path / "film.mp4"
    film.write_bytes(b"as it was")
    file = load(write_questions(tmp_path / "q.yaml", tree(film)))
    assert find(tmp_path, file.clips) == {"film.mp4": film}
    film.write_bytes(b"as it wos")
    with pytest.raises(DataError, match=r"film\.mp4: damaged or another file"):
        find(tmp_path, file.clips)
    film.unlink()
    with pytest.raises(ConfigError, match=r"lacks film\.mp4"):
        find(tmp_path, file.clips)
    with pytest.raises(ConfigError, match="no such folder"):
        find(tmp_path / "nowhere", file.clips)


def test_the_real_clips_are_those_that_were_looked_at():
    folder = os.environ.get("LOOKOUT_CLIPS")
    if not folder:
        pytest.skip("LOOKOUT_CLIPS names no folder with the real clips")
    clips = load().clips
    assert set(find(Path(folder), clips)) == set(clips)
