"""What a reply says, strictly and as TimeBlind's scorer reads it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluation.paired.choices import YES_NO, Choices, from_options, from_question, normal
from evaluation.paired.choices import from_truths as vocabulary
from evaluation.paired.reading import strict, timeblind_official

WAYS = Choices(("left", "right", "up", "up left"), lettered=True)
LETTERS = Choices(("a", "b"), lettered=True)


@pytest.mark.parametrize(
    ("reply", "choice"),
    [
        ("left", "left"),
        ("LEFT.", "left"),
        ("A", "left"),
        ("(b)", "right"),
        ("B. Right", "right"),
        ("B. It moves right", "right"),
        ("Option C", "up"),
        ("**B**", "right"),
        ("up left", "up left"),
        ("It moves up left.", "up left"),
        ("It moves to the right!", "right"),
        ("First I thought of left, then of up.\nAnswer: B", "right"),
        ("The answer is: (A) left.", "left"),
        ("**Answer:** up", "up"),
        ("<think>left?</think><answer>B</answer>", "right"),
        ("\uff21", "left"),  # a full-width A
    ],
)
def test_a_strict_reply_names_one_choice(reply, choice):
    assert strict(reply, WAYS) == choice


@pytest.mark.parametrize(
    "reply",
    [
        "",
        "...",
        "left or right",
        "It moves up, then left.",
        "It does not move left.",
        "It isn't moving right",
        "A. right",  # the letter and the text disagree
        "E",
        "E. right",
        "a bird",
        "leftover",
        "Answer: A\nAnswer: B",
        "The answer is not B",
        "<answer>A</answer><answer>B</answer>",
    ],
)
def test_a_strict_reply_that_names_none_or_several_cannot_be_read(reply):
    assert strict(reply, WAYS) is None


@pytest.mark.parametrize(
    ("reply", "choice"),
    [
        ("Yes.", "yes"),
        ("no", "no"),
        ("No, it does not.", "no"),
        ("Yes, it is not raining.", "yes"),
        ("Answer: yes", "yes"),
        ("Yes or no? No.", None),
        ("It does.", None),
        ("There is no ball", None),
        ("yesterday", None),
        ("A", None),
    ],
)
def test_yes_and_no_stand_at_the_start_and_alone(reply, choice):
    assert strict(reply, YES_NO) == choice


@pytest.mark.parametrize(
    ("reply", "choice"),
    [("A", "a"), ("b. to the left", "b"), ("B) down", "b"), ("a bird", None), ("ab", None)],
)
def test_where_only_letters_are_known_a_marked_one_may_be_followed_by_its_text(reply, choice):
    assert strict(reply, LETTERS) == choice


@pytest.mark.parametrize(
    ("reply", "choice"),
    [
        ("Yes.", "yes"),
        ("Yes or no? No.", "yes"),  # the first mention wins
        ("yes/no: no", "no"),  # unless a slash follows it
        ("I see yes and no. Final answer: no", "no"),
        ("Prediction: yes, though the answer is no", "yes"),
        ("yes; it is", None),
        ("It does.", None),
        ("", None),
    ],
)
def test_timeblinds_own_reading_of_yes_and_no(reply, choice):
    assert timeblind_official(reply, YES_NO) == choice


@pytest.mark.parametrize(
    ("reply", "choice"),
    [
        ("B", "b"),
        ("It is a bird, so B", "a"),  # its article is an option
        ("It is a bird, so (B)", "b"),
        ("A bird, option b", "b"),
        ("A bird. Answer: B", "b"),
        ("A/B", None),
        ("neither", None),
    ],
)
def test_timeblinds_own_reading_of_letters(reply, choice):
    assert timeblind_official(reply, LETTERS) == choice


@given(st.text(), st.sampled_from([YES_NO, LETTERS, WAYS]))
def test_whatever_is_said_it_is_one_of_the_choices_or_unreadable(reply, choices):
    assert strict(reply, choices) in {None, *choices.texts}
    if choices is not WAYS:
        assert timeblind_official(reply, choices) in {None, *choices.texts}


@given(st.text())
def test_what_is_normal_stays_so(text):
    assert normal(normal(text)) == normal(text)


@given(st.lists(st.text(), min_size=2, max_size=6))
def test_every_option_can_be_said_by_its_text_and_by_its_letter(texts):
    try:
        choices = from_options(texts)
    except ValueError:
        return
    for letter, text in zip(choices.letters, choices.texts, strict=True):
        assert choices.named(text) == text
        assert choices.named(letter) == text


@pytest.mark.parametrize(
    "options",
    [
        ["A. to the left", "B. to the right"],
        ["to the left", "to the right"],
        {"B": "to the right", "A": "To the left."},
        ["(A) to the left", "(B) to the right"],
    ],
)
def test_options_are_known_with_and_without_their_letters(options):
    assert from_options(options).texts == ("to the left", "to the right")


@pytest.mark.parametrize(
    "options",
    [["one"], ["one", "One."], ["B", "A"], ["one", "..."], "one", {"A": "one", "C": "two"}, 3],
)
def test_options_that_cannot_be_told_apart_are_refused(options):
    with pytest.raises(ValueError, match="option"):
        from_options(options)


def test_options_may_stand_in_the_question():
    asked = "What happens?\nA. The door opens.\n(B) The door closes.\nC) Neither"
    found = from_question(asked)
    assert found is not None
    assert found.texts == ("the door opens", "the door closes", "neither")
    assert from_question("What happens?") is None
    assert strict("C", found) == "neither"


def test_without_options_the_truths_of_a_kind_are_the_vocabulary():
    assert vocabulary(["Yes", "no."]) == YES_NO
    assert vocabulary(["No"]) == YES_NO
    assert vocabulary(["B", "C"]).texts == ("a", "b", "c")
    assert vocabulary(["Up", "left"]) == Choices(("left", "up"))
    with pytest.raises(ValueError, match="all questions"):
        vocabulary(["red", "Red."])
