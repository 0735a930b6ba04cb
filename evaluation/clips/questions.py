"""The file of clips and checked questions, and the questions it makes."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Annotated, Any

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from core.errors import ConfigError, DataError
from evaluation.clips.kinds import KINDS, Kind, turned


@dataclass(frozen=True, slots=True)
class Question:
    """One question at one time of one clip, seen in one turn.

    Args:
        clip: file name.
        passage: number of the passage inside the clip; questions of one passage hang together.
        kind: a key of `KINDS`.
        text: what is asked.
        at: stream seconds.
        truth: one of the kind's options.
        quarters: quarter turns to the left that the picture is given before it is seen, 0 to 3.
    """

    clip: str
    passage: int
    kind: str
    text: str
    at: float
    truth: str
    quarters: int = 0


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Ask(_Part):
    """The same question at several times with the same truth."""

    kind: str
    truth: str
    at: tuple[Annotated[float, Field(ge=0)], ...] = Field(min_length=1)
    text: str | None = None  # other words than the kind's

    @model_validator(mode="after")
    def _known(self) -> Ask:
        if self.kind not in KINDS:
            raise ValueError(f"kind {self.kind!r}: allowed are {', '.join(KINDS)}")
        if self.truth not in KINDS[self.kind].options:
            allowed = ", ".join(KINDS[self.kind].options)
            raise ValueError(f"truth {self.truth!r} of {self.kind}: allowed are {allowed}")
        return self


class Passage(_Part):
    """A stretch of a clip in which the same things hold."""

    why: str = Field(min_length=10)  # what is seen, which makes the truths true
    span: tuple[float, float]  # seconds in which that holds
    ask: tuple[Ask, ...]

    @model_validator(mode="after")
    def _inside(self) -> Passage:
        low, high = self.span
        outside = [at for ask in self.ask for at in ask.at if not low <= at <= high]
        if outside:
            raise ValueError(f"{outside[0]} s is not within {low} to {high} s")
        return self


class Clip(_Part):
    """One file and what is asked about it."""

    sha256: str = Field(pattern="^[0-9a-f]{64}$")
    duration: float = Field(gt=0)  # seconds
    credit: str = Field(min_length=4)  # who is to be named, and the licence
    passages: tuple[Passage, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _long_enough(self) -> Clip:
        for passage in self.passages:
            if not 0 <= passage.span[0] < passage.span[1] <= self.duration:
                raise ValueError(f"{passage.span} s is not within 0 to {self.duration} s")
        return self


class QuestionFile(_Part):
    """All clips of a file."""

    about: str
    checked: str  # how the truths were found
    clips: dict[str, Clip] = Field(min_length=1)

    @model_validator(mode="after")
    def _no_twice(self) -> QuestionFile:
        asked = [(q.clip, q.quarters, q.at, q.text) for q in self.questions()]
        twice = next((one for one in asked if asked.count(one) > 1), None)
        if twice:
            raise ValueError(f"{twice[0]}: asked twice at {twice[2]} s: {twice[3]}")
        return self

    def questions(self) -> list[Question]:
        """Every question; those whose truth turns with the picture in all four turns."""
        return [
            _question(name, number, ask, at, quarters)
            for name, clip in self.clips.items()
            for number, passage in enumerate(clip.passages)
            for ask in passage.ask
            for at in ask.at
            for quarters in (range(4) if KINDS[ask.kind].turns else (0,))
        ]


def load(path: Path | None = None) -> QuestionFile:
    """The questions of a YAML file; our own where none is given.

    Raises:
        ConfigError: if the file cannot be read.
        DataError: if it is no valid file of questions; says what is wrong and where.
    """
    name = "questions.yaml" if path is None else str(path)
    try:
        source = resources.files("evaluation.clips") / name if path is None else path
        tree: Any = yaml.safe_load(source.read_text(encoding="utf-8"))
        return QuestionFile.model_validate(tree)
    except OSError as error:
        raise ConfigError(f"{name}: cannot be read: {error.strerror}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise DataError(f"{name}: is not YAML: {error}".splitlines()[0]) from error
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        message = first["msg"].removeprefix("Value error, ")
        raise DataError(f"{name}: {where}: {message}".replace(": :", ":")) from None


def find(folder: Path, clips: dict[str, Clip]) -> dict[str, Path]:
    """Where the clips lie.

    Raises:
        ConfigError: if the folder is none, or a clip is not in it.
        DataError: if a file is not the one that was looked at, byte for byte.
    """
    if not folder.is_dir():
        raise ConfigError(f"--clips {folder}: no such folder")
    missing = [name for name in clips if not (folder / name).is_file()]
    if missing:
        raise ConfigError(f"--clips {folder}: lacks {', '.join(missing)}")
    for name, clip in clips.items():
        with (folder / name).open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
        if found != clip.sha256:
            raise DataError(
                f"{folder / name}: damaged or another file: sha256 {found}, wanted {clip.sha256}"
            )
    return {name: folder / name for name in clips}


def _question(clip: str, passage: int, ask: Ask, at: float, quarters: int) -> Question:
    kind: Kind = KINDS[ask.kind]
    truth = turned(ask.truth, quarters) if kind.turns else ask.truth
    return Question(clip, passage, ask.kind, ask.text or kind.text, at, truth, quarters)


def of_play(questions: Sequence[Question], clip: str, quarters: int) -> list[Question]:
    """The questions that one playing of one clip can answer."""
    return [q for q in questions if q.clip == clip and q.quarters == quarters]
