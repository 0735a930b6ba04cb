"""A short scene with questions put twice, and a tiny random model to answer them."""

from __future__ import annotations

import json
from pathlib import Path

from evaluation.scenes import Posed, Scene
from tests.tiny import save
from worlds.catalog import open_world
from worlds.questions.moment import Question

SEED = 10_000_123
STEPS = 4
PIXELS = 64 * 64  # a grid of 4 x 4


def folder(path: Path) -> Path:
    """A checkpoint folder whose pictures are small."""
    pixels = {"min_pixels": PIXELS, "max_pixels": PIXELS}
    (save(path) / "preprocessor_config.json").write_text(json.dumps({"lookout": pixels}))
    return path


def scene() -> Scene:
    return Scene(open_world("busy", SEED), f"demo:busy?seed={SEED}", 12.0, STEPS, 4.0)


def posed() -> tuple[Posed, ...]:
    texts = (("what do you see?", 1), ("where is it?", 1), ("what do you see?", STEPS - 1))
    return tuple(Posed("colour", step, Question("colour", text, "It is.")) for text, step in texts)
