"""Position schemes: closed forms by hand, laws of all, and what the engine hands to the model."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from engine.engine import Engine
from engine.limits import Limits
from engine.positions.continuous import Continuous
from engine.positions.gap import Gap
from engine.positions.group import Group
from engine.positions.interleave import Interleave
from engine.positions.line import Line
from engine.positions.origin import Origin
from engine.positions.overlap import Overlap
from engine.positions.registry import SCHEMES
from engine.positions.scheme import Positions, Stand
from engine.requests import Ask
from engine.selecting import Selecting
from engine.speaking import DEFAULT, Speaking
from engine.visibility import AsAsked, Live
from memory.policies.sink_window import SinkWindow
from models.layout import Chunk
from pruning.none import Dense
from pruning.selectors.even import Even
from tests.engine.hooked import Hooked
from tests.engine.listeners import DEADLINE, Heard, Result, open_camera, settle, show
from tests.tiny import ours, segment

QUESTION = "what do you see?"
OPENING = 3  # tokens that open an answer in the scenes by hand


@dataclass
class ByHand:
    """Input and one answer, numbered as the engine does it, without an engine."""

    scheme: Positions
    input: int = 100  # where the next input token would stand
    end: int = 100
    said: list[int] = field(default_factory=list)

    def ask(self, length: int) -> list[int]:
        """A question; positions of it and of the marks that open the answer."""
        at = self.scheme.question(self.stand)
        start = self.scheme.first(at + length)
        self.line = Line(self.scheme, start, start + OPENING - 1, self.stand)
        self.input = self.line.resume(self.input)
        return [*range(at, at + length), *range(start, start + OPENING)]

    def say(self, tokens: int = 1) -> list[int]:
        for _ in range(tokens):
            stand = self.stand
            self.said.append(self.line.ahead(stand))
            self.line.advance(self.said[-1], stand)
            self.input = self.line.resume(self.input)
        return self.said[-tokens:]

    def see(self, length: int) -> list[int]:
        """A step comes in; its (t, h, w) would be these and offsets within them."""
        start = self.input
        self.input = self.end = start + length
        return list(range(start, start + length))

    @property
    def stand(self) -> Stand:
        return Stand(self.input, self.input, self.end)


def conversation(scheme: Positions) -> tuple[list[int], list[int], list[int], list[int], list[int]]:
    """Question of 4 tokens, 2 words, a step of 10, 3 words, a step of 10, 1 word."""
    hand = ByHand(scheme)
    asked = hand.ask(4)
    first = hand.say(2)
    one = hand.see(10)
    second = hand.say(3)
    other = hand.see(10)
    third = hand.say(1)
    return asked, first + second + third, one, other, [hand.input]


def test_continuous_counts_on_after_the_question_and_input_knows_nothing_of_it():
    asked, said, one, other, end = conversation(Continuous())
    assert asked == [100, 101, 102, 103, 104, 105, 106]
    assert said == [107, 108, 109, 110, 111, 112]
    assert (one[0], other[0], end) == (100, 110, [120])


def test_origin_counts_on_and_input_comes_after_all_that_was_said():
    hand = ByHand(Origin())
    assert hand.ask(4) == [100, 101, 102, 103, 104, 105, 106]
    assert hand.say(6) == [107, 108, 109, 110, 111, 112]
    assert hand.see(10)[0] == 113
    assert Origin.input_waits


def test_interleave_is_one_counter_for_what_is_seen_and_said():
    asked, said, one, other, end = conversation(Interleave())
    assert asked == [100, 101, 102, 103, 104, 105, 106]
    assert said == [107, 108, 119, 120, 121, 132]
    assert (one[0], one[-1]) == (109, 118)
    assert (other[0], other[-1]) == (122, 131)
    assert end == [133]
    assert len(set(asked + said + one + other)) == 7 + 6 + 20, "no number is given twice"


def test_interleave_says_after_a_step_that_has_numbers_but_is_still_on_its_way():
    line = Line(Interleave(), 5, 7, Stand(5, 5, 5))
    assert line.ahead(Stand(8, 18, 5)) == 18
    assert Interleave().question(Stand(8, 18, 5)) == 18


def test_overlap_starts_words_and_the_step_that_comes_meanwhile_together():
    asked, said, one, other, end = conversation(Overlap())
    assert asked == [100, 101, 102, 103, 104, 105, 106]
    assert said[:2] == [107, 108]
    assert one[0] == 104, "where the answer starts, with the marks that open it"
    assert said[2:5] == [114, 115, 116], "after the step"
    assert other[0] == 114, "where the words after the step before started"
    assert said[5:] == [124]
    assert end == [124]


def test_overlap_where_words_are_longer_than_the_step_goes_on_after_the_words():
    hand = ByHand(Overlap())
    hand.ask(1)  # 100, marks 101 to 103
    assert hand.say(20)[-1] == 123
    assert hand.see(10)[0] == 101
    assert hand.say(2) == [124, 125]
    assert hand.see(10)[0] == 124


def test_group_counts_from_0_with_the_marks_that_open_the_answer_and_never_starts_anew():
    asked, said, one, other, end = conversation(Group())
    assert asked == [100, 101, 102, 103, 0, 1, 2]
    assert said == [3, 4, 5, 6, 7, 8]
    assert (one[0], other[0], end) == (100, 110, [120])


def test_group_as_the_embedded_model_was_trained_counts_the_question_too():
    asked, said, _, _, end = conversation(Group(question_too=True))
    assert asked == [0, 1, 2, 3, 4, 5, 6]
    assert said == [7, 8, 9, 10, 11, 12]
    assert end == [120]


def test_gap_is_group_and_a_constant():
    asked, said, one, other, end = conversation(Gap())
    assert asked == [100, 101, 102, 103, 10_000, 10_001, 10_002]
    assert said == [n + 10_000 for n in conversation(Group())[1]]
    assert (one[0], other[0], end) == (100, 110, [120])
    with pytest.raises(ValueError, match="offset"):
        Gap(offset=0)


@pytest.mark.parametrize("make", SCHEMES)
@given(turns=st.lists(st.tuples(st.integers(0, 9), st.integers(1, 30)), min_size=1, max_size=20))
def test_what_is_said_rises_and_the_input_never_goes_back(make, turns):
    hand = ByHand(make())
    hand.ask(4)
    last, before = hand.line.said.last, hand.input
    for words, step in turns:
        if words:
            hand.say(words)
        if not make.input_waits:
            assert hand.see(step)[0] >= before
        assert hand.input >= before
        before = hand.input
    assert [last, *hand.said] == sorted({last, *hand.said})


LIMITS = Limits(cameras=1, answers=2, waiting=2, capacity=200, prompt_tokens=100, answer_tokens=40)


class Watched:
    """An engine whose model tells which chunks it ran; `between` runs after the nth of them."""

    def __init__(self, speaking: Speaking) -> None:
        torch.set_num_threads(1)
        self.chunks: list[Chunk] = []
        self.engine = Engine(Hooked(ours(), self._ran), LIMITS, speaking=speaking)

    def _ran(self, chunks: Sequence[Chunk]) -> None:
        self.chunks += chunks

    def positions(self, chunks: Sequence[Chunk]) -> list[tuple[int, int, int]]:
        return [tuple(at) for chunk in chunks for at in chunk.positions.T.tolist()]


def spoken(watched: Watched, tokens: int = 6) -> list[tuple[int, int, int]]:
    """Positions (t, h, w) of a question and all that is said but the last token."""
    with watched.engine as engine:
        handle = open_camera(engine)
        for i in range(2):
            show(engine, handle, segment(i))
        assert handle.memory is not None
        assert handle.memory.next_position == END
        watched.chunks.clear()
        heard = Heard()
        engine.ask(handle, Ask(QUESTION, max_tokens=tokens), heard)
        assert heard.wait().tokens == tokens
        settle(engine, [handle])
    return watched.positions(watched.chunks)


def end_of_two_steps() -> int:
    model = ours()
    position = model.prefix().next_position
    for i in range(2):
        position = model.lay_steps(model.encode([segment(i)])[0], position).next_position
    return position


END = end_of_two_steps()
IDS = ours().question_ids(QUESTION, (), "")
ASKED = len(IDS) - ours().opening_tokens


def test_the_marks_that_open_an_answer_are_the_assistants_turn():
    assert ours()._tokenizer.decode(IDS[ASKED:]) == "<|im_start|>assistant\n"


@pytest.mark.parametrize(
    ("scheme", "question", "start"),
    [
        (Continuous(), END, END + ASKED),
        (Origin(), END, END + ASKED),
        (Interleave(), END, END + ASKED),
        (Overlap(), END, END + ASKED),
        (Group(), END, 0),
        (Group(question_too=True), 0, ASKED),
        (Gap(), END, 10_000),
        (Gap(offset=777), END, 777),
    ],
)
@pytest.mark.parametrize("sight", [AsAsked(), Live()])
def test_the_model_gets_these_positions_on_all_three_axes(scheme, question, start, sight):
    found = spoken(Watched(Speaking(sight, scheme)))
    said = len(IDS) - ASKED + 5  # the marks and all words but the last, which nobody reads
    wanted = [*range(question, question + ASKED), *range(start, start + said)]
    assert found == [(at, at, at) for at in wanted]


def test_interleave_moves_the_numbers_of_later_frames_and_the_default_does_not():
    ends = {}
    for scheme in (Continuous(), Interleave(), Origin(), Overlap(), Group(), Gap()):
        with Engine(ours(), LIMITS, speaking=Speaking(AsAsked(), scheme)) as engine:
            handle = open_camera(engine)
            for i in range(2):
                show(engine, handle, segment(i))
            heard = Heard()
            engine.ask(handle, Ask(QUESTION, max_tokens=6), heard)
            heard.wait()
            show(engine, handle, segment(2))
            assert handle.memory is not None
            newest = handle.memory.tokens.group == handle.memory.tokens.group.max()
            ends[scheme.scheme] = int(handle.memory.tokens.positions[newest].min())
            settle(engine, [handle])
    after = END + len(IDS) + 5
    assert ends == {"continuous": END, "interleave": after, "origin": after,
                    "overlap": END + ASKED, "group": END, "gap": END}  # fmt: skip


@pytest.mark.parametrize("scheme", [Origin(), Continuous()])
def test_only_with_origin_a_segment_waits_until_the_answer_has_ended(scheme):
    with Engine(ours(), LIMITS, speaking=Speaking(AsAsked(), scheme)) as engine:
        handle = open_camera(engine)
        show(engine, handle, segment(0))
        result, go = Result(), threading.Event()
        order: list[str] = []

        def spoke(heard: Heard) -> None:
            if heard.deltas == 1:
                engine.perceive(handle, segment(1), remembered)
            order.append("word")

        def remembered(found: object) -> None:
            order.append("step")
            result(found)  # type: ignore[arg-type]
            go.set()

        heard = Heard(spoke)
        engine.ask(handle, Ask(QUESTION, max_tokens=30), heard)
        heard.wait()
        assert go.wait(DEADLINE)
        assert result.wait().frames == 2
        assert order.count("step") == 1
        if scheme.input_waits:
            assert order[-1] == "step"
        else:
            assert order[-1] == "word"
        settle(engine, [handle])


def test_answers_that_choose_from_a_bank_are_spoken_in_the_usual_way_only():
    limits = Limits(cameras=1, answers=1, capacity=200, selector_budget=9, bank_steps=3)
    engine = Engine(ours(), limits, speaking=Speaking(Live(), Continuous()))
    selecting = Selecting(Even(), budget=9, bank_steps=3)
    with pytest.raises(ValueError, match="as it is when they begin"):
        engine.open_memory(Dense(), 8, SinkWindow(), Result(), selecting)
    assert Speaking(AsAsked(), Continuous()) == DEFAULT
