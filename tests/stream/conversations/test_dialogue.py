"""What the model is asked, given what the client has said so far."""

from __future__ import annotations

import pytest

from core.errors import InvalidRequest, NoQuestion, QuestionTooLong
from core.events import InputImage, InputText, Item, OutputText
from stream.cameras.answer import Turn
from stream.conversations.dialogue import Dialogue

IMAGE = "data:image/jpeg;base64,AAAA"


def user(text: str, images: int = 0) -> Item:
    pictures = tuple(InputImage(image_url=f"{IMAGE}{n}") for n in range(images))
    return Item(role="user", content=(InputText(text=text), *pictures))


def assistant(text: str) -> Item:
    return Item(role="assistant", content=(OutputText(text=text),))


def system(text: str) -> Item:
    return Item(role="system", content=(InputText(text=text),))


def dialogue(**changes: int) -> Dialogue:
    return Dialogue(**{"max_chars": 100, "max_images": 2, **changes})


def say(there: Dialogue, *items: Item) -> list[str]:
    accepted = [there.accepted(item) for item in items]
    for item in accepted:
        there.add(item)
    return [item.id for item in accepted]


def test_unasked_messages_are_asked_together_and_only_once() -> None:
    there = dialogue()
    say(there, user("First."), user("Second?"))
    assert there.ask().text == "First.\nSecond?"
    say(there, user("Third?"))
    assert there.ask().text == "Third?"


def test_without_a_new_message_the_last_one_is_asked_again() -> None:
    there = dialogue()
    say(there, user("First?"), user("Second?"))
    there.ask()
    assert there.ask().text == "Second?"


def test_history_holds_what_came_before_the_question_and_no_more_than_allowed() -> None:
    there = dialogue(max_turns=3)
    say(there, system("Be kind."), user("A?"), assistant("a"), user("B?"), assistant("b"))
    there.ask()
    say(there, user("C?"))
    asked = there.ask()
    assert asked.history == (
        Turn("assistant", "a"),
        Turn("user", "B?"),
        Turn("assistant", "b"),
    )
    assert asked.instructions == ("Be kind.",)


def test_an_answer_stands_behind_its_question_even_when_another_came_meanwhile() -> None:
    there = dialogue()
    first, second = say(there, user("A?"), user("B?"))
    before, _ = there.add(there.accepted(assistant("a")), after=first)
    assert before == first
    before, _ = there.add(there.accepted(assistant("b")), after=second)
    assert before == second


def test_the_oldest_messages_go_when_there_are_too_many() -> None:
    there = dialogue(limit=2)
    first, second = say(there, user("A?"), user("B?"))
    _, gone = there.add(there.accepted(user("C?")))
    assert gone == [first]
    assert there.has(second)


def test_only_the_newest_pictures_are_kept() -> None:
    there = dialogue()
    say(there, user("A?", images=2), user("B?", images=1))
    asked = there.ask()
    assert asked.text == "A?\nB?"
    assert asked.images == (f"{IMAGE}0",)


@pytest.mark.parametrize(
    ("item", "error"),
    [
        (user("x" * 101), QuestionTooLong),
        (user("x", images=3), InvalidRequest),
        (user("  "), InvalidRequest),
        (Item(role="user", content=()), InvalidRequest),
    ],
)
def test_what_is_not_acceptable_is_refused(item: Item, error: type[Exception]) -> None:
    with pytest.raises(error):
        dialogue().accepted(item)


def test_ids_are_unique_and_references_must_exist() -> None:
    there = dialogue()
    (known,) = say(there, user("A?"))
    with pytest.raises(InvalidRequest, match=known):
        there.accepted(user("B?").model_copy(update={"id": known}))
    with pytest.raises(InvalidRequest, match="nothing"):
        there.delete("nothing")
    with pytest.raises(InvalidRequest, match="nothing"):
        there.add(there.accepted(user("B?")), after="nothing")


def test_nothing_to_answer_is_an_error() -> None:
    there = dialogue()
    say(there, assistant("a"))
    with pytest.raises(NoQuestion):
        there.ask()


def test_only_the_newest_instructions_are_handed_on() -> None:
    dialogue = Dialogue(max_chars=100, max_images=0, max_turns=2)
    for number in range(5):
        text = InputText(text=f"rule {number}")
        dialogue.add(dialogue.accepted(Item(role="system", content=(text,))))
    dialogue.add(dialogue.accepted(Item(role="user", content=(InputText(text="What?"),))))
    assert dialogue.ask().instructions == ("rule 3", "rule 4")
