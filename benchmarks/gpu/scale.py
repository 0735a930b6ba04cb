"""How large a session's measurements are: for a card, or small enough to be tried on a CPU."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

DAY_S: Final = 86_400.0


@dataclass(frozen=True, slots=True)
class Scale:
    """Sizes and times of all rows.

    Pictures, pages, capacity and steps of the engine are those of `configs/qwen3-vl.yaml`.

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
        prefill_tokens: of a step of the engine at most.
        encode_tokens: of a step of the engine at most, visual tokens before pruning.
        step_ms: that a step of the engine shall take at most while somebody listens.
        ages: of memories that answers read, in words and in seconds.
        answers: numbers of answers given at once.
        answer_tokens: of each.
        questions: put to find the time to the first token.
        paced_fps: frames per second of the camera that is watched meanwhile.
        camera_fps: of each camera in the search for the largest number.
        compiler: backend of torch's compiler, for the variant that is compiled.
        pictures: width and height of the video that is decoded, in pixels.
        clip_s: seconds of it, which repeat.
        threads: that decode at once.
        matrix: rows and columns of the product that gives the matrix rate.
        copied_bytes: of the copy that gives the bandwidth.
        test_rows: how many of the groups of tests are run.
    """

    shapes: tuple[str, ...] = ("qwen3-vl-8b", "qwen3-vl-4b", "qwen3-vl-2b")
    picture: int = 448
    budgets: tuple[float, ...] = (1.0, 0.25, 0.1)
    window_s: float = 2.0
    warm_s: float = 0.5
    streams: int = 32
    most_cameras: int = 192
    capacity: int = 8192
    small_capacity: int = 2048
    page: int = 256
    segment_steps: int = 2
    prefill_tokens: int = 1024
    encode_tokens: int = 4096
    step_ms: float = 50.0
    ages: tuple[tuple[str, float], ...] = (("1 minute", 60.0), ("24 hours", DAY_S))
    answers: tuple[int, ...] = (1, 8, 32)
    answer_tokens: int = 200
    questions: int = 40
    paced_fps: float = 8.0
    camera_fps: float = 2.0
    compiler: str = "inductor"
    pictures: tuple[tuple[int, int], ...] = ((1280, 720), (1920, 1080))
    clip_s: float = 4.0
    threads: tuple[int, ...] = (1, 16)
    matrix: int = 8192
    copied_bytes: int = 2**32
    test_rows: int = 4

    def brief(self) -> Scale:
        """The same for shapes that are measured beside the first: fewer rows, half as long."""
        return replace(
            self,
            budgets=(0.25,),
            answers=self.answers[:2],
            ages=self.ages[-1:],
            questions=min(self.questions, 20),
            window_s=self.window_s / 2,
        )


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
    compiler="eager",  # traced as a whole and run as it is: no kernels are made
    pictures=((160, 96),),
    clip_s=1.0,
    threads=(1, 2),
    matrix=128,
    copied_bytes=2**20,
    test_rows=1,
)
