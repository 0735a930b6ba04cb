"""How questions about a world are worded and answers said. Words only, no scene."""

from __future__ import annotations

from typing import Final

TASKS: Final = ("colour", "shape", "where", "count", "exist", "direction", "appeared", "describe")

QUESTIONS: Final[dict[str, tuple[str, ...]]] = {
    "colour": (
        "What color is the {it}?",
        "What colour is the {it}?",
        "Which color is the {it}?",
        "Which colour is the {it}?",
        "What is the color of the {it}?",
        "What is the colour of the {it}?",
        "Which color does the {it} have?",
        "What colour does the {it} have?",
        "Tell me the color of the {it}.",
    ),
    "shape": (
        "What shape is the {it}?",
        "Which shape is the {it}?",
        "What is the shape of the {it}?",
        "What is the {it}?",
        "Which shape does the {it} have?",
        "Tell me the shape of the {it}.",
    ),
    "where": (
        "Where is the {it}?",
        "Where is the {it} now?",
        "Where do you see the {it}?",
        "In which part of the picture is the {it}?",
        "Tell me where the {it} is.",
    ),
    "count": (
        "How many {them} are there?",
        "How many {them} do you see?",
        "How many {them} can you see?",
        "How many {them} are there now?",
        "How many {them} are in the picture?",
        "Count the {them}.",
    ),
    "exist": (
        "Is there {a}?",
        "Is there {a} now?",
        "Do you see {a}?",
        "Can you see {a}?",
        "Is there {a} in the picture?",
    ),
    "direction": (
        "Which way is the {it} moving?",
        "Which way is the {it} going?",
        "Which direction is the {it} moving?",
        "In which direction is the {it} moving?",
        "Where is the {it} going?",
        "How is the {it} moving?",
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
    "describe": (
        "What do you see?",
        "What can you see?",
        "What is in the picture?",
        "Describe the picture.",
        "Describe what you see.",
        "What is there?",
    ),
}

NUMBERS: Final = ("none", "one", "two", "three", "four")
GENERIC: Final = ("object", "thing")


def with_article(words: str) -> str:
    """`words` after "a" or "an"."""
    return f"{'an' if words[0] in 'aeiou' else 'a'} {words}"


def plural(noun: str) -> str:
    """More than one of `noun`."""
    return noun + ("es" if noun.endswith("s") else "s")


def say_number(n: int) -> str:
    """The answer to how many."""
    return "There is one." if n == 1 else f"There are {NUMBERS[n]}."


def say_heading(heading: str) -> str:
    """The answer to which way."""
    return "It is not moving." if heading == "still" else f"It is moving {heading}."


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
