"""How large a session's measurements are: for a card, or small enough to be tried on a CPU."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Scale:
    """Sizes and times of all rows.

    Args:
        shapes: of `configs/shapes`, the most important first.
        picture: side of the square pictures, in pixels.
        budgets: shares of the visual tokens that are kept.
        window_s: seconds of a measurement, after `warm_s` that are not counted.
        warm_s: before it.
        streams: cameras of a measurement with several.
        most_cameras: that the search for the largest number goes to.
        capacity: tokens of a camera's memory.
        small_capacity: where there are many cameras.
        page: slots per page.
        segment_steps: temporal steps of a segment at most.
        prefill_tokens: of a step of the engine.
        encode_tokens: of a step of the engine, visual tokens before pruning.
        answers: numbers of answers given at once.
        answer_tokens: of each.
        questions: put to find the time to the first token.
        paced_fps: frames per second of the camera that is watched meanwhile.
        camera_fps: of each camera in the search for the largest number.
        matrix: rows and columns of the product that gives the matrix rate.
        copied_bytes: of the copy that gives the bandwidth.
        test_rows: how many of the groups of tests are run.
    """

    shapes: tuple[str, ...] = ("qwen3-vl-8b", "qwen3-vl-4b", "qwen3-vl-2b")
    picture: int = 448
    budgets: tuple[float, ...] = (1.0, 0.25, 0.1)
    window_s: float = 4.0
    warm_s: float = 1.5
    streams: int = 32
    most_cameras: int = 192
    capacity: int = 8192
    small_capacity: int = 2048
    page: int = 256
    segment_steps: int = 2
    prefill_tokens: int = 2048
    encode_tokens: int = 8192
    answers: tuple[int, ...] = (1, 8, 32)
    answer_tokens: int = 200
    questions: int = 40
    paced_fps: float = 8.0
    camera_fps: float = 2.0
    matrix: int = 8192
    copied_bytes: int = 2**32
    test_rows: int = 4


FULL: Final = Scale()
DRY: Final = Scale(
    shapes=("tiny",),
    picture=96,
    budgets=(1.0, 0.25),
    window_s=0.4,
    warm_s=0.1,
    streams=2,
    most_cameras=2,
    capacity=128,
    small_capacity=64,
    page=16,
    prefill_tokens=64,
    encode_tokens=128,
    answers=(1, 2),
    answer_tokens=6,
    questions=3,
    camera_fps=20.0,
    matrix=128,
    copied_bytes=2**20,
    test_rows=1,
)
