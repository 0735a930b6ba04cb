"""A film of our own: a red square that crosses a grey picture, and the questions about it."""

from __future__ import annotations

import hashlib
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import yaml

SECONDS = 5.0
FPS = 12
SIDE = 384  # pixels
STARTS = 2.0  # seconds; before that it stands still


def write_film(path: Path) -> Path:
    """A red square that stands at the left until `STARTS` and then moves to the right."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=FPS)
        stream.width, stream.height, stream.pix_fmt = SIDE, SIDE, "yuv420p"
        stream.codec_context.thread_count = 1
        stream.options = {"preset": "ultrafast", "crf": "18"}
        for number in range(round(SECONDS * FPS)):
            pixels = np.full((SIDE, SIDE, 3), 120, np.uint8)
            x = 50 + round(SIDE * 0.2 * max(0.0, number / FPS - STARTS))
            cv2.rectangle(pixels, (x - 40, 152), (x + 40, 232), (222, 40, 40), -1)
            picture = av.VideoFrame.from_ndarray(pixels, "rgb24")
            picture.pts, picture.time_base = number, Fraction(1, FPS)
            container.mux(stream.encode(picture))
        container.mux(stream.encode(None))
    return path


def tree(film: Path) -> dict[str, Any]:
    """A file of questions about the film, as YAML holds it."""
    return {
        "about": "a film made for a test",
        "checked": "true by construction",
        "clips": {
            film.name: {
                "sha256": hashlib.sha256(film.read_bytes()).hexdigest(),
                "duration": SECONDS,
                "credit": "nobody",
                "passages": [
                    {
                        "why": "the square stands still",
                        "span": [0.0, STARTS],
                        "ask": [{"kind": "moving", "truth": "no", "at": [1.9]}],
                    },
                    {
                        "why": "the square moves to the right",
                        "span": [STARTS, SECONDS],
                        "ask": [
                            {"kind": "moving", "truth": "yes", "at": [4.1]},
                            {"kind": "direction", "truth": "right", "at": [4.1]},
                            {"kind": "count", "truth": "1", "at": [4.1]},
                            {"kind": "colour", "truth": "red", "at": [4.1]},
                        ],
                    },
                ],
            }
        },
    }


def write_questions(path: Path, values: dict[str, Any]) -> Path:
    """A file that `load` reads."""
    path.write_text(yaml.safe_dump(values), encoding="utf-8")
    return path
