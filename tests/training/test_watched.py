"""Labels of what happened, held to the event log; each law is shown to notice planted faults."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest
import torch

from training.architecture import PER_STEP
from training.clips import Watched
from training.labels import KINDS, NOUNS, kind
from training.layout import SILENT
from training.scenes import training_world
from training.streams import _hits, _told
from worlds import vocabulary
from worlds.questions.catalog import ask
from worlds.things import INVERSE, Event, Look, Thing, Track

COLOURS = tuple(vocabulary.COLOURS)
GAP, STEPS = 0.25, 60
MOODS = {"desk": 2.0, "rare": 1.0, "busy": 1.0}


def watch(seed: int) -> Watched:
    """Half a minute of a lively world, from a time of its own."""
    rng = np.random.default_rng(seed)
    times = rng.uniform(1, 60) + GAP * np.arange(2 * STEPS)
    return Watched(training_world(rng, MOODS), times, times.reshape(-1, 2).mean(1), STEPS)


def within(watched: Watched, step: int) -> list[Event]:
    """The log between the last frame of the step before and the step's own."""
    return watched.world.events(watched.times[2 * step - 1], watched.times[2 * step + 1])


def shown(watched: Watched, step: int, cell: int) -> Thing | None:
    """What the cell is about: what covers it, or, where nothing does, what did one step before."""
    things, owner = watched.owners[step]
    if owner[cell] == -1 and step:
        things, owner = watched.owners[step - 1]
    return things[owner[cell]] if owner[cell] >= 0 else None


def cell_faults(watched: Watched, labels: np.ndarray) -> list[str]:
    """What is wrong with labels of cells, by the log; empty if nothing is."""
    faults = []
    for step in range(1, watched.steps):
        log, end = within(watched, step), float(watched.times[2 * step + 1])
        for cell, label in enumerate(labels[step].tolist()):
            thing = shown(watched, step, cell)
            kinds = [event.kind for event in log if event.thing == thing]
            covered = watched.owners[step][1][cell] >= 0
            if label > 0 and KINDS[label - 1] not in kinds:
                faults.append(f"step {step}, cell {cell}: {KINDS[label - 1]} is not in the log")
            elif label == 0 and (not covered or thing.helper or kinds):
                faults.append(f"step {step}, cell {cell}: not nothing, but {kinds}")
            elif label == SILENT and kinds and (not covered or thing.seen(end)):
                faults.append(f"step {step}, cell {cell}: silent about {kinds}")
            elif label == SILENT and covered and thing.seen(end) and not thing.helper:
                faults.append(f"step {step}, cell {cell}: silent about a thing in view")
    return faults + ["the first step knows no step before"] * bool((labels[0] != SILENT).any())


def step_faults(watched: Watched, news: np.ndarray) -> list[str]:
    """What is wrong with the news of steps, by the log; empty if nothing is."""
    faults = ["the first step knows no step before"] * bool((news[0] != SILENT).any())
    for step in range(1, watched.steps):
        log, (label, colour, noun) = within(watched, step), news[step].tolist()
        if not log:
            right = (label, colour, noun) == (0, SILENT, SILENT)
        elif len(log) > 1:
            right = (label, colour, noun) == (SILENT, SILENT, SILENT)
        else:
            look = log[0].thing.look(log[0].t)
            said = COLOURS[colour - 1] if colour else ""
            right = label > 0 and (KINDS[label - 1], said) == (log[0].kind, look.colour)
            right = right and NOUNS[noun - 1] == look.noun
        if not right:
            faults.append(f"step {step}: {label, colour, noun} of {[e.kind for e in log]}")
    return faults


def swapped(labels: np.ndarray) -> np.ndarray:
    """Every kind called by the name of its inverse."""
    out = labels.copy()
    for number, name in enumerate(KINDS, start=1):
        out[labels == number] = kind(INVERSE[name])
    return out


def shifted(labels: np.ndarray) -> np.ndarray:
    """Everything one step late."""
    return np.roll(labels, 1, axis=0)


def early(labels: np.ndarray) -> np.ndarray:
    """Everything one step early."""
    return np.roll(labels, -1, axis=0)


def mute(labels: np.ndarray) -> np.ndarray:
    """No event is told."""
    return np.where(labels > 0, SILENT, labels)


def calm(labels: np.ndarray) -> np.ndarray:
    """Every event is said to be nothing."""
    return np.where(labels > 0, 0, labels)


def frank(labels: np.ndarray) -> np.ndarray:
    """Something is said where nothing is sure."""
    return np.where(labels == SILENT, 1, labels)


FAULTS = pytest.mark.parametrize("fault", [swapped, shifted, early, mute, calm, frank])


@pytest.mark.parametrize("seed", range(6))
def test_a_cell_names_what_happened_in_its_step_to_the_thing_it_shows(seed):
    watched = watch(seed)
    labels = watched.events()
    assert labels.shape == (STEPS, 36) and (labels > 0).any() and (labels == 0).any()
    assert cell_faults(watched, labels) == []


@FAULTS
def test_a_fault_planted_in_the_labels_of_cells_is_noticed(fault):
    watched = watch(0)
    assert cell_faults(watched, fault(watched.events()))


@pytest.mark.parametrize("seed", range(6))
def test_the_news_of_a_step_is_its_only_event_nothing_or_unsaid(seed):
    watched = watch(seed)
    news = watched.news()
    assert news.shape == (STEPS, 3)
    assert {0, SILENT} < set(news[:, 0].tolist()), "all three are met"
    assert step_faults(watched, news) == []


@FAULTS
def test_a_fault_planted_in_the_news_is_noticed(fault):
    watched = watch(0)
    news = watched.news()
    news[:, :1] = fault(news[:, :1])
    assert step_faults(watched, news)


def test_news_with_the_look_of_another_thing_are_noticed():
    news = watch(0).news()
    news[:, 2] = np.where(news[:, 2] > 0, news[:, 2] % len(NOUNS) + 1, SILENT)
    assert step_faults(watch(0), news)


@dataclass
class Scripted:
    """A world of given things; what else `Watched` asks of a world follows from them."""

    present: list[Thing]

    def things(self, t: float) -> list[Thing]:
        return [thing for thing in self.present if thing.exists(t)]

    def events(self, start: float, end: float) -> list[Event]:
        found = [event for thing in self.present for event in thing.events]
        return sorted((e for e in found if start <= e.t < end), key=lambda e: e.t)


def scripted(*things: Thing) -> Watched:
    """Four steps that end at .5, 1, 1.5 and 2 seconds."""
    times = 0.25 * np.arange(1, 9)
    return Watched(Scripted(list(things)), times, times[1::2], 4)


LAMP = Thing(
    0.0,
    1.2,
    Track.resting(1.5 / 6, 1.5 / 6, 1 / 12),  # the cell in row 1, column 1
    ((0.0, Look("lamp", state="off")), (0.7, Look("lamp", state="on"))),
    marks=((0.7, "turned on", ""),),
)
BALL = Thing(
    0.9, 9.0, Track.resting(4.5 / 6, 3.5 / 6, 1 / 12), ((0.0, Look(NOUNS[0], COLOURS[1])),)
)


def test_a_worked_clip():
    """The lamp goes on in the second step, the ball comes in it, the lamp leaves in the third."""
    watched = scripted(LAMP, BALL)
    at_lamp, at_ball = 6 * 1 + 1, 6 * 3 + 4
    labels = watched.events()
    assert labels[:, at_lamp].tolist() == [SILENT, kind("turned on"), kind("left"), SILENT]
    assert labels[:, at_ball].tolist() == [SILENT, kind("appeared"), 0, 0]
    elsewhere = np.delete(labels, [at_lamp, at_ball], axis=1)
    assert (elsewhere == SILENT).all()
    assert watched.news().tolist() == [
        [SILENT] * 3,
        [SILENT] * 3,  # two at once
        [kind("left"), 0, NOUNS.index("lamp") + 1],
        [0, SILENT, SILENT],
    ]


def test_a_thing_is_news_with_the_look_that_the_event_gave_it():
    red, blue = (Look(NOUNS[0], colour) for colour in COLOURS[:2])
    marks = ((1.2, "changed colour", COLOURS[1]),)
    ball = replace(BALL, born=0.0, looks=((0.0, red), (1.2, blue)), marks=marks)
    assert scripted(ball).news()[2].tolist() == [kind("changed colour"), 2, 1]


def test_of_two_things_that_happen_to_one_thing_in_a_step_the_last_is_told():
    both = replace(LAMP, gone=9.0, marks=((0.6, "turned on", ""), (0.8, "turned off", "")))
    assert scripted(both).events()[1, 7] == kind("turned off")


def test_what_happens_just_as_a_step_ends_belongs_to_the_next():
    """The log's stretches are half open: no event is told twice, and none is lost."""
    watched = scripted(replace(LAMP, gone=9.0, marks=((1.0, "turned on", ""),)))
    assert watched.events()[:, 7].tolist() == [SILENT, 0, kind("turned on"), 0]
    assert watched.news()[:, 0].tolist() == [SILENT, 0, kind("turned on"), 0]


def test_kinds_are_numbered_from_1_and_an_unknown_one_is_refused():
    assert [kind(name) for name in KINDS] == list(range(1, len(INVERSE) + 1))
    assert set(KINDS) == set(INVERSE)
    with pytest.raises(ValueError, match="not in tuple"):
        kind("vanished")


def nll(logits: torch.Tensor, truth: list[int], weight: list[float]) -> float:
    """The weighted mean of -log p(truth) over what is known of it, written out."""
    terms = [
        (weight[wanted], weight[wanted] * float(row.logsumexp(0) - row[wanted]))
        for row, wanted in zip(logits, truth, strict=True)
        if wanted != SILENT
    ]
    return sum(t for _, t in terms) / sum(w for w, _ in terms) if terms else 0.0


def test_what_is_told_costs_its_weighted_cross_entropy_over_what_is_known():
    generator = torch.Generator().manual_seed(0)
    kinds, nouns = torch.randn(4, 3, generator=generator), torch.randn(4, 5, generator=generator)
    truth = torch.tensor([[0, SILENT], [2, 4], [SILENT, SILENT], [1, 0]])
    weight = torch.tensor([0.2, 1.0, 1.0])
    expected = nll(kinds, truth[:, 0].tolist(), weight.tolist()) + nll(
        nouns, truth[:, 1].tolist(), [1.0] * 5
    )
    assert float(_told((kinds, nouns), truth, (weight, None))) == pytest.approx(expected, rel=1e-5)
    assert expected != pytest.approx(float(_told((kinds, nouns), truth, (None, None))), rel=1e-3)
    with pytest.raises(ValueError, match="argument"):
        _told((kinds,), truth, (weight, None))


def test_a_batch_of_which_nothing_is_known_costs_nothing_and_pulls_nowhere():
    logits = torch.randn(3, 4, requires_grad=True)
    loss = _told((logits,), torch.full((3, 1), SILENT), (None,))
    loss.backward()
    assert float(loss.detach()) == 0
    assert logits.grad is not None and torch.equal(logits.grad, torch.zeros(3, 4))


def test_hits_are_the_share_of_right_answers_and_no_number_where_none_was_asked():
    logits = torch.eye(4)
    assert _hits(logits, torch.tensor([0, 1, 2, 0])) == 0.75
    assert np.isnan(_hits(logits[:0], torch.tensor([], dtype=torch.int64)))


def test_a_question_for_a_time_is_looked_for_where_the_answer_stands() -> None:
    asked = shown_at_all = 0
    for seed in range(12):
        watched, rng = watch(seed), np.random.default_rng(seed)
        end = watched.steps - 1
        for _ in range(20):
            question = ask(watched.moment(end), "when", rng)
            if question is None:
                continue
            asked += 1
            answer = watched.clock.tolist().index(question.at)
            cells = watched.cells(question, end)
            steps = {cell // PER_STEP for cell in cells}
            assert steps <= {answer - 1, answer}, "where the time is, or just before it"
            assert len(steps) <= 1
            shown_at_all += bool(cells)
            for cell in cells:
                things, owner = watched.owners[cell // PER_STEP]
                assert things[owner[cell % PER_STEP]] in question.about
    assert asked > 50
    assert shown_at_all > 0.8 * asked
