"""The committed set: drawn as it was, with truths from the logs; one picture tells little."""

from __future__ import annotations

from collections import Counter
from functools import cache

import numpy as np
import pytest

from evaluation.paired.choices import from_options
from evaluation.paired.reading import strict
from evaluation.twins.casting import unseen
from evaluation.twins.collection import FIRST, PAIRS, SEED, committed, digest, draw, pairs
from evaluation.twins.families import FAMILIES, NOTHING
from evaluation.twins.pairs import Pair
from evaluation.twins.scripts import MOTIONS
from worlds.backdrop import TurnedScenery
from worlds.painter import Painter
from worlds.questions.catalog import ask
from worlds.questions.moment import Moment, clear
from worlds.twins import Stretch
from worlds.vocabulary import BOX, HEADINGS, LAMP

SIZE = (64, 64)
TASKS = {"reversible": "happened", "direction": "direction", "sequence": "order"}
UNASKED = ("cover or uncover", "appear or leave")  # training does not ask what happened of these
WORDINGS = 1500  # draws in which the same words come up again, most of the time


@cache
def drawn(family: str, count: int = 60) -> list[Pair]:
    return list(pairs([family], count))


def middle(shown: Stretch) -> np.ndarray:
    t = shown.last / 2
    painter = Painter(TurnedScenery(shown.backdrop), clean=True)
    return painter.paint([x for x in shown.cast if x.exists(t)], t, SIZE).astype(int)


def combinations(shown: Stretch) -> list[bool]:
    things = [thing for thing in shown.cast if not thing.helper]
    return [unseen(thing.looks[0][1], [motion for _, motion in thing.motions]) for thing in things]


@pytest.mark.parametrize("family", FAMILIES)
def test_the_first_pairs_are_those_that_were_committed(family):
    facts = committed()
    assert (facts["seed"], facts["pairs"], facts["first"]) == (SEED, PAIRS, FIRST)
    assert digest(drawn(family)[:FIRST]) == facts["sha256"][family]["first"]


def test_the_hash_sees_the_words_the_truths_and_the_scripts():
    one, other = draw("direction", 0), draw("direction", 1)
    lines = one.canonical()
    assert lines == draw("direction", 0).canonical()
    assert digest([one]) != digest([other]) != digest([one, other])
    for value in (one.question, *(member.truth for member in one.members)):
        assert f'"{value}"' in lines
    assert lines.count('"script"') == 2


@pytest.mark.parametrize("family", FAMILIES)
def test_half_of_the_pairs_hold_combinations_that_are_never_trained(family):
    assert sum(pair.held for pair in drawn(family)) * 2 == len(drawn(family))
    for pair in drawn(family):
        found = [combinations(member.shown) for member in pair.members]
        assert any(map(any, found)) == pair.held, pair.key


@pytest.mark.parametrize("family", FAMILIES)
def test_both_truths_are_options_and_change_only_where_they_should(family):
    for pair in drawn(family):
        truths = [member.truth for member in pair.members]
        assert set(truths) <= set(pair.options) - {NOTHING}
        assert (truths[0] == truths[1]) == (family == "static")
        assert 6 <= (pair.members[0].shown.last + 0.25) * 2 <= 10
        assert pair.members[0].shown.last == pair.members[1].shown.last


@pytest.mark.parametrize("family", FAMILIES)
def test_every_kind_of_a_family_comes_up_and_no_answer_is_right_too_often(family):
    changes = Counter(pair.change for pair in drawn(family))
    assert max(changes.values()) <= 2 * min(changes.values()), changes
    if family == "direction":
        truths = Counter(member.truth for pair in drawn(family) for member in pair.members)
        assert set(truths) == set(MOTIONS)
        assert max(truths.values()) <= 2 * min(truths.values())


@pytest.mark.parametrize("family", FAMILIES)
def test_the_question_makers_of_training_give_the_same_truths_to_the_same_words(family):
    checked = 0
    for pair in drawn(family)[:24]:
        if pair.change in UNASKED:
            continue
        for member in pair.members:
            moment = Moment(member.shown, member.shown.last, 0.0)
            asked = (
                ask(moment, TASKS.get(family, pair.change), np.random.default_rng(n))
                for n in range(WORDINGS)
            )
            same = next((one for one in asked if one and one.text == pair.question), None)
            if same is not None:
                assert strict(same.answer, from_options(pair.options)) == member.truth, pair.key
                checked += 1
    assert checked > 20


@pytest.mark.parametrize("family", ["direction", "static"])
def test_nothing_is_hidden_or_half_out_of_view_at_the_end_of_a_member(family):
    for pair in drawn(family):
        assert all(clear(member.shown, member.shown.last) for member in pair.members)


@pytest.mark.parametrize("family", ["reversible", "sequence"])
def test_the_middle_picture_of_both_members_is_the_same(family):
    for pair in drawn(family)[:12]:
        one, other = (middle(member.shown) for member in pair.members)
        assert np.abs(one - other).max() <= 2, pair.key


def test_a_static_twin_is_another_video():
    for pair in drawn("static")[:12]:
        one, other = (
            Painter(TurnedScenery(member.shown.backdrop), clean=True).paint(
                member.shown.cast, 0.0, SIZE
            )
            for member in pair.members
        )
        assert np.abs(one.astype(int) - other).max() > 20, pair.key


def test_where_a_thing_is_in_the_middle_and_how_it_faces_says_nothing_of_its_way():
    features, truths, owners = [], [], []
    for number, pair in enumerate(drawn("direction", 300)):
        for member in pair.members:
            shown = member.shown
            (thing,) = [x for x in shown.cast[:1] if x.motion(0.0) == member.truth]
            t = shown.last / 2
            features.append([*thing.at(t), thing.radius(t), thing.mirrored])
            truths.append(member.truth)
            owners.append(number)
    table = np.array(features, float)
    table = (table - table.mean(0)) / table.std(0)
    apart = ((table[:, None] - table[None]) ** 2).sum(-1)
    apart[np.equal.outer(owners, owners)] = np.inf  # a pair may not tell its own answer
    nearest = apart.argmin(1)
    right = np.mean([truths[near] == truth for near, truth in zip(nearest, truths, strict=True)])
    assert right <= 1 / len(MOTIONS) + 0.05


def test_the_things_that_only_have_states_stand_beside_held_out_shapes():
    for pair in drawn("reversible"):
        if not pair.held or pair.change not in ("open or close", "turn on or off"):
            continue
        others = [x for x in pair.members[0].shown.cast if x.looks[0][1].noun not in (BOX, LAMP)]
        assert others
        assert all(unseen(thing.looks[0][1]) for thing in others)


def test_directions_are_turned_in_every_way_that_changes_them():
    ways = {(pair.change, pair.twin) for pair in drawn("direction", 120)}
    assert {twin for _, twin in ways} == {"flip", "reversal", "both"}
    assert {twin for change, twin in ways if change == "left or right"} == {"flip", "reversal"}
    assert {twin for change, twin in ways if change == "away or closer"} == {"reversal", "both"}
    assert len({change for change, _ in ways}) * 2 == len(HEADINGS) + 2
