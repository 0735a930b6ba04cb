"""Files of answers to try, and strategies that draw them."""

from __future__ import annotations

import json
from pathlib import Path

from hypothesis import strategies as st

from evaluation.paired.judging import judge
from evaluation.paired.layouts import LAYOUTS
from evaluation.paired.reading import strict
from evaluation.paired.rows import Row

WORDS = ("left", "right", "up", "down")


def rows(objects, columns=None):
    return [Row(f"answers:{n}", value, columns or {}) for n, value in enumerate(objects, start=1)]


def write(path: Path, objects) -> Path:
    path.write_text("".join(json.dumps(value) + "\n" for value in objects), encoding="utf-8")
    return path


def pair(key, truths, answers, options=WORDS, **more):
    """The two rows of a pair."""
    return [
        {
            "pair": key,
            "role": role,
            "question": "Which way does it move?",
            "options": list(options),
            "truth": truth,
            "answer": answer,
            **more,
        }
        for role, truth, answer in zip(("shown", "twin"), truths, answers, strict=True)
    ]


def instance(number, answers, type_="yes_no"):
    """The four rows of an instance, under TimeBlind's names."""
    return [
        {
            "index": 4 * number + role,
            "question": f"Question {role // 2}?",
            "type": type_,
            "model_output": answer,
        }
        for role, answer in enumerate(answers)
    ]


def judged(objects, layout="dybench", reader=strict):
    found = LAYOUTS[layout]
    groups = found.groups(rows(objects, found.columns))
    return [judge(group, reader) for group in groups]


def measured(objects, layout="dybench", reader=strict):
    return LAYOUTS[layout].measures(judged(objects, layout, reader))


def values(objects, layout="dybench", reader=strict):
    return {name: share.value for name, share in measured(objects, layout, reader).items()}


REPLIES = st.sampled_from([*WORDS, "A", "(b)", "It moves up.", "no idea", "", "left or right"])


@st.composite
def pair_files(draw, replies=REPLIES):
    """Rows of 1 to 8 pairs, dynamic and static."""
    truths = st.tuples(st.sampled_from(WORDS), st.sampled_from(WORDS))
    drawn = draw(st.lists(st.tuples(truths, st.tuples(replies, replies)), min_size=1, max_size=8))
    kinds = draw(st.lists(st.sampled_from("xy"), min_size=len(drawn), max_size=len(drawn)))
    return [
        row
        for n, ((truth, said), kind) in enumerate(zip(drawn, kinds, strict=True))
        for row in pair(f"p{n}", truth, said, kind=kind)
    ]


BINARY_REPLIES = st.sampled_from(["Yes.", "no", "A", "", "Yes or no? No", "B."])


@st.composite
def instance_files(draw, replies=BINARY_REPLIES):
    """Rows of 1 to 8 instances."""
    four = st.tuples(replies, replies, replies, replies)
    types = st.sampled_from(["yes_no", "multiple_choice"])
    drawn = draw(st.lists(st.tuples(four, types), min_size=1, max_size=8))
    return [row for n, (said, kind) in enumerate(drawn) for row in instance(n, said, kind)]
