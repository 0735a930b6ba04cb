"""The configuration of `lookout train embedded`, validated on load."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Any, Final, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from core.errors import ConfigError
from training.architecture import SIZES
from training.scenes import TRAINING_MOODS
from worlds.questions.catalog import MAKERS

_CONFIGS: Final = Path(__file__).parent.parent / "configs"
DEFAULTS: Final = {size: _CONFIGS / f"train-embedded-{size}.yaml" for size in SIZES}
PHASES: Final = ("eye", "questions", "streams", "recall")
LATER: Final = PHASES[1:]  # those of a run that starts from an earlier model


def _weights(given: dict[str, float], known: Collection[str], what: str) -> dict[str, float]:
    if unknown := set(given) - set(known):
        raise ValueError(f"unknown {what} {sorted(unknown)}; there are {', '.join(known)}")
    if not given or min(given.values()) <= 0:
        raise ValueError(f"weights of {what} must be positive")
    return given


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class PhaseSettings(_Strict):
    """What every phase has."""

    minutes: float = Field(gt=0)
    rate: float = Field(gt=0)  # peak learning rate
    moods: dict[str, float]  # of the worlds that are looked at, and how often each
    most_steps: int | None = Field(default=None, ge=1)

    @field_validator("moods")
    @classmethod
    def _moods(cls, moods: dict[str, float]) -> dict[str, float]:
        return _weights(moods, TRAINING_MOODS, "moods")


class EyeSettings(PhaseSettings):
    """The eye's phase."""

    batch: int = Field(ge=1)  # temporal steps


class ClipSettings(PhaseSettings):
    """A phase of questions about clips."""

    eye: float = Field(ge=0, le=1)  # learning rate factor of the vision tower
    clips: int = Field(ge=1)
    questions: int = Field(ge=1)  # per clip
    steps: tuple[int, int]  # temporal steps, least and most
    budget: int = Field(ge=3, le=36)  # visual tokens per step that most clips keep
    tasks: dict[str, float]  # weights

    @field_validator("steps")
    @classmethod
    def _rising(cls, steps: tuple[int, int]) -> tuple[int, int]:
        if not 1 <= steps[0] <= steps[1]:
            raise ValueError(f"{steps} is not a range of temporal steps")
        return steps

    @field_validator("tasks")
    @classmethod
    def _known(cls, tasks: dict[str, float]) -> dict[str, float]:
        return _weights(tasks, MAKERS, "tasks")


class Settings(_Strict):
    """The whole training."""

    size: Literal["xs", "s", "m"]
    seed: int = Field(ge=0)
    threads: int = Field(ge=1)
    workers: int = Field(default=1, ge=0)
    compile: bool = True  # the model's calls, where there is a CUDA device; ignored on CPU
    eye: EyeSettings
    questions: ClipSettings
    streams: ClipSettings
    recall: ClipSettings

    def lasting(self, minutes: float, names: Collection[str] = PHASES) -> Settings:
        """The named phases in the same proportions, `minutes` in all; others as they are."""
        phases = {name: getattr(self, name) for name in names}
        share = minutes / sum(phase.minutes for phase in phases.values())
        return self.model_copy(
            update={
                name: phase.model_copy(update={"minutes": phase.minutes * share})
                for name, phase in phases.items()
            }
        )

    def tiny(self) -> Settings:
        """Two steps of a few clips in every phase: does it run, not does it learn."""
        few: dict[str, Any] = {"most_steps": 2}
        clips = few | {"clips": 2, "questions": 2}
        return self.model_copy(
            update={
                "workers": 0,
                "threads": 1,
                "eye": self.eye.model_copy(update=few | {"batch": 4}),
                "questions": self.questions.model_copy(update=clips),
                "streams": self.streams.model_copy(update=clips | {"steps": (2, 3)}),
                "recall": self.recall.model_copy(update=clips | {"steps": (3, 4)}),
            }
        )


def load(file: Path) -> Settings:
    """Read settings.

    Raises:
        ConfigError: if the file cannot be read or does not say what it must; names file and key.
    """
    try:
        return Settings.model_validate(yaml.safe_load(file.read_text()))
    except OSError as error:
        raise ConfigError(f"{file}: {error.strerror}") from None
    except yaml.YAMLError as error:
        raise ConfigError(f"{file}: not YAML: {error}") from None
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        raise ConfigError(f"{file}: {key}: {first['msg']}") from None
