"""A film like that of a camera, made on the spot: H.264 where there is an encoder for it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import av
import numpy as np
from numpy.typing import NDArray

FPS: Final = 25
ENCODERS: Final = ("libx264", "mpeg4")  # the first that is there
_BITS: Final = 0.12  # a pixel, as cameras send: 2.8 megabits a second at 1280x720
_KEYFRAME_S: Final = 2  # as cameras send them
_SPEED: Final = 3  # pixels that the scene moves by from frame to frame
_NOISES: Final = 8  # of the sensor, which repeat


@dataclass(frozen=True, slots=True)
class Film:
    """A file.

    Args:
        path: of it.
        encoder: that made it.
        megabits_per_s: of stream.
    """

    path: Path
    encoder: str
    megabits_per_s: float


def encoder() -> str | None:
    """The encoder that is used here; None: there is none."""
    return next((name for name in ENCODERS if name in av.codecs_available), None)


def write(path: Path, size: tuple[int, int], seconds: float, by: str) -> Film:
    """Film a scene that moves under a little noise.

    Args:
        path: where; the suffix decides the container.
        size: width and height in pixels, even.
        seconds: how long.
        by: one of `ENCODERS` that is here.
    """
    frames = max(1, round(FPS * seconds))
    scene, noises = _scene(size, frames), _noises(size)
    with av.open(str(path), "w") as container:
        stream = container.add_stream(by, rate=FPS)
        stream.width, stream.height = size
        stream.pix_fmt = "yuv420p"
        stream.codec_context.gop_size = _KEYFRAME_S * FPS
        stream.codec_context.bit_rate = round(_BITS * FPS * size[0] * size[1])
        stream.options = {"preset": "veryfast", "tune": "zerolatency"} if by == "libx264" else {}
        for number in range(frames):
            left = _SPEED * number
            seen = scene[:, left : left + size[0]] + noises[number % _NOISES]
            picture = av.VideoFrame.from_ndarray(seen.astype(np.uint8), format="rgb24")
            container.mux(stream.encode(picture))
        container.mux(stream.encode(None))
    return Film(path, by, path.stat().st_size * 8 / 1e6 / (frames / FPS))


def _scene(size: tuple[int, int], frames: int) -> NDArray[np.int16]:  # [h, w + way, 3]
    """Blocks of colour in many sizes, wide enough to be passed by."""
    draw = np.random.default_rng(0)
    width, height = size[0] + _SPEED * frames, size[1]
    scene = np.full((height, width, 3), 96, np.int16)
    for _ in range(width * height // 4000):
        x, y = draw.integers(width), draw.integers(height)
        w, h = draw.integers(4, 120, 2)
        scene[y : y + h, x : x + w] = draw.integers(8, 240, 3)
    return scene


def _noises(size: tuple[int, int]) -> list[NDArray[np.int16]]:
    draw = np.random.default_rng(1)
    return [draw.integers(-3, 4, (size[1], size[0], 3), dtype=np.int16) for _ in range(_NOISES)]
