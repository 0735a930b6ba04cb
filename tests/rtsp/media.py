"""Videos whose frames say which frame they are, so that tests read order and loss from pixels."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

_ROWS, _COLUMNS = 4, 5  # 16 bits of number and 4 check bits, one block each
_CHECK = 0b1010  # an evenly black or white picture is no number
_ENCODERS = {"h264": "libx264", "h265": "libx265", "mjpeg": "mjpeg", "mpeg4": "mpeg4"}


def counter_frame(number: int, size: tuple[int, int] = (320, 180)) -> NDArray[np.uint8]:
    """A picture [height, width, 3] that shows `number` (0 to 65535) in black and white blocks.

    Args:
        number: what to show.
        size: (width, height) in pixels.
    """
    code = number << 4 | _check_bits(number)
    bits = np.array([code >> shift & 1 for shift in range(19, -1, -1)], np.uint8)
    blocks = bits.reshape(_ROWS, _COLUMNS) * 200 + 28
    rows = np.arange(size[1]) * _ROWS // size[1]
    columns = np.arange(size[0]) * _COLUMNS // size[0]
    return np.repeat(blocks[rows][:, columns, None], 3, axis=2)


def read_counter(pixels: NDArray[np.uint8]) -> int | None:
    """The number that `counter_frame` has drawn, at any picture size; None where there is none."""
    height, width = pixels.shape[:2]
    code = 0
    for row in range(_ROWS):
        for column in range(_COLUMNS):
            y = slice(_inner(row, _ROWS, height, 0.3), _inner(row, _ROWS, height, 0.7))
            x = slice(_inner(column, _COLUMNS, width, 0.3), _inner(column, _COLUMNS, width, 0.7))
            level = float(pixels[y, x].mean())
            if 90 < level < 166:
                return None
            code = code << 1 | (level > 128)
    number = code >> 4
    return number if code & 15 == _check_bits(number) else None


def write_counter_video(
    path: Path | str,
    codec: str = "h264",
    *,
    seconds: float = 2.0,
    fps: int = 25,
    size: tuple[int, int] = (320, 180),
    gop: int = 10,
    first: int = 0,
    audio: bool = False,
    options: dict[str, str] | None = None,
) -> Path:
    """Writes a file whose frames count up from `first`.

    Args:
        path: where; the suffix decides the container.
        codec: h264, h265, mjpeg or mpeg4.
        seconds: length.
        fps: frames per second.
        size: (width, height) in pixels, even numbers.
        gop: frames from keyframe to keyframe.
        first: number of the first frame.
        audio: add a silent sound track as well.
        options: of the container, such as {"movflags": "faststart"}.
    """
    with av.open(str(path), "w", options=options or {}) as container:
        stream = container.add_stream(_ENCODERS[codec], rate=fps)
        stream.width, stream.height = size
        stream.pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
        stream.codec_context.gop_size = gop
        stream.codec_context.max_b_frames = 0
        stream.codec_context.thread_count = 1
        stream.options = _speed(codec, gop)
        if audio:
            _write_silence(container, seconds)
        for index in range(round(seconds * fps)):
            picture = av.VideoFrame.from_ndarray(counter_frame(first + index, size), "rgb24")
            picture.pts, picture.time_base = index, Fraction(1, fps)
            container.mux(stream.encode(picture))
        container.mux(stream.encode(None))
    return Path(path)


def write_sound(path: Path | str, seconds: float = 1.0) -> Path:
    """Writes a file that holds sound and no picture."""
    with av.open(str(path), "w") as container:
        _write_silence(container, seconds)
    return Path(path)


def _check_bits(number: int) -> int:
    return number >> 12 & 15 ^ number >> 8 & 15 ^ number >> 4 & 15 ^ number & 15 ^ _CHECK


def _inner(index: int, count: int, length: int, share: float) -> int:
    return int((index + share) * length / count)


def _speed(codec: str, gop: int) -> dict[str, str]:
    if codec == "h264":
        return {"preset": "ultrafast", "tune": "zerolatency", "x264-params": f"keyint={gop}"}
    if codec == "h265":
        parameters = (
            f"log-level=none:keyint={gop}:bframes=0:pools=1:frame-threads=1:repeat-headers=1"
        )
        return {"preset": "ultrafast", "tune": "zerolatency", "x265-params": parameters}
    return {}


def _write_silence(container: av.container.OutputContainer, seconds: float) -> None:
    stream = container.add_stream("aac", rate=16000, layout="mono")
    for index in range(int(seconds * 16000 / 1024)):
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), "fltp", "mono")
        frame.sample_rate, frame.pts = 16000, index * 1024
        container.mux(stream.encode(frame))
    container.mux(stream.encode(None))
