"""How questions about a world are worded and answers said. Words only, no scene."""

from __future__ import annotations

from typing import Final

NOW: Final = (
    "colour", "shape", "name", "where", "count", "exist", "direction", "read", "state", "describe"
)  # fmt: skip
PAST: Final = ("appeared", "order", "happened", "taken", "when", "recall", "total", "unseen")
STANDING: Final = ("note", "alert")  # asked again and again; mostly there is nothing to say
TASKS: Final = (*NOW, *PAST)
SILENCE: Final = ""  # the answer to a standing question when nothing calls for one

QUESTIONS: Final[dict[str, tuple[str, ...]]] = {
    "colour": (
        "What color is the {0}?",
        "What colour is the {0}?",
        "Which color is the {0}?",
        "Which colour is the {0}?",
        "What is the color of the {0}?",
        "What is the colour of the {0}?",
        "Which color does the {0} have?",
        "What colour does the {0} have?",
        "Tell me the color of the {0}.",
    ),
    "shape": (
        "What shape is the {0}?",
        "Which shape is the {0}?",
        "What is the shape of the {0}?",
        "What is the {0}?",
        "Which shape does the {0} have?",
        "Tell me the shape of the {0}.",
    ),
    "name": (
        "What is {0}?",
        "What do you see {0}?",
        "Which thing is {0}?",
        "Tell me what is {0}.",
    ),
    "where": (
        "Where is the {0}?",
        "Where is the {0} now?",
        "Where do you see the {0}?",
        "In which part of the picture is the {0}?",
        "Tell me where the {0} is.",
    ),
    "count": (
        "How many {0} are there?",
        "How many {0} do you see?",
        "How many {0} can you see?",
        "How many {0} are there now?",
        "How many {0} are in the picture?",
        "Count the {0}.",
    ),
    "exist": (
        "Is there {0}?",
        "Is there {0} now?",
        "Do you see {0}?",
        "Can you see {0}?",
        "Is there {0} in the picture?",
    ),
    "moving": ("Is anything moving?", "Is something moving?", "Does anything move?"),
    "direction": (
        "Which way is the {0} moving?",
        "Which way is the {0} going?",
        "Which direction is the {0} moving?",
        "In which direction is the {0} moving?",
        "Where is the {0} going?",
        "How is the {0} moving?",
    ),
    "read": (
        "What number is on the sign?",
        "What does the sign say?",
        "Which number is on the sign?",
        "What is the number?",
        "Which number do you see?",
        "Read the sign.",
    ),
    "state": (
        "Is the {0} {1}?",
        "Is the {0} {1} now?",
        "Can you see whether the {0} is {1}?",
    ),
    "appeared": (
        "What appeared last?",
        "What came last?",
        "What was the last thing to appear?",
        "Which object appeared last?",
        "What appeared most recently?",
        "What just appeared?",
        "What is new?",
    ),
    "order": (
        "What appeared {0}?",
        "What came {0}?",
        "Which thing appeared {0}?",
    ),
    "happened": (
        "What happened to the {0}?",
        "What was done to the {0}?",
        "What happened with the {0}?",
    ),
    "taken": (
        "What did the hand take?",
        "What was taken by the hand?",
        "What did the hand pick up?",
        "Which thing did the hand take?",
    ),
    "when": (
        "When {0}?",
        "At what time {0}?",
    ),
    "recall": (
        "What number was on the sign?",
        "What did the sign say?",
        "Which number did the sign show?",
        "What was the last number?",
    ),
    "recall colour": (
        "What color was the {0}?",
        "What colour was the {0}?",
        "Which color did the {0} have?",
    ),
    "total": (
        "How many things have appeared so far?",
        "How many things came in?",
        "How many objects have come in so far?",
    ),
    "note": ("Note what changes.", "Write down what changes.", "Tell me all that changes."),
    "alert": ("Tell me when {0}.", "Let me know when {0}.", "Warn me when {0}."),
    "describe": (
        "What do you see?",
        "What can you see?",
        "What is in the picture?",
        "Describe the picture.",
        "Describe what you see.",
        "What is there?",
    ),
}

NUMBERS: Final = (
    "none", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"
)  # fmt: skip
NEVER: Final = "I have not seen that."
GENERIC: Final = ("object", "thing")


def with_article(words: str) -> str:
    """`words` after "a" or "an"."""
    return f"{'an' if words[0] in 'aeiou' else 'a'} {words}"


def plural(noun: str) -> str:
    """More than one of `noun`."""
    return noun + ("es" if noun.endswith(("s", "x")) else "s")


def say_number(n: int) -> str:
    """The answer to how many."""
    return "There is one." if n == 1 else f"There are {NUMBERS[n]}."


def say_heading(motion: str) -> str:
    """The answer to which way; `motion` is one of `worlds.vocabulary.MOTIONS`."""
    special = {
        "still": "It is not moving.",
        "closer": "It is coming closer.",
        "away": "It is going away.",
        "around": "It is turning around.",
    }
    return special.get(motion, f"It is moving {motion}.")


def say_name(name: str) -> str:
    """The answer to which thing."""
    return f"{with_article(name).capitalize()}."


def say_fate(kind: str, detail: str) -> str:
    """The answer to what happened to something; `kind` is one of `worlds.things.INVERSE`."""
    return f"It {_FATES[kind].format(detail=detail)}."


def say_event(kind: str, name: str, detail: str) -> str:
    """One event as a note or an alert says it."""
    subject = with_article(name).capitalize() if kind == "appeared" else f"The {name}"
    return f"{subject} {_FATES[kind].format(detail=detail)}."


def say_time(seconds: float) -> str:
    """The answer to when."""
    return f"At {seconds:.1f} seconds."


_FATES: Final = {
    "appeared": "appeared",
    "left": "left",
    "opened": "was opened",
    "closed": "was closed",
    "turned on": "was turned on",
    "turned off": "was turned off",
    "grew": "grew",
    "shrank": "shrank",
    "picked up": "was taken",
    "put down": "was put down",
    "covered": "was covered",
    "uncovered": "was uncovered",
    "changed colour": "turned {detail}",
    "changed number": "changed to {detail}",
    "jumped": "jumped",
    "collided": "hit the {detail}",
}


def say_list(names: list[str]) -> str:
    """The answer to what is there."""
    if not names:
        return "I see nothing."
    listed = [with_article(name) for name in names]
    if len(listed) == 1:
        return f"I see {listed[0]}."
    return f"I see {', '.join(listed[:-1])} and {listed[-1]}."


def normal(answer: str) -> str:
    """An answer as exact match compares it: no case, no punctuation, single spaces."""
    kept = "".join(c if c.isalnum() or c.isspace() else " " for c in answer.lower())
    return " ".join(kept.split())
