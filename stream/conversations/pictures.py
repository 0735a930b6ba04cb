"""Pictures from clients: base64, data URIs, JPEG and PNG, never larger than we are ready for.

The size is read from the header before anything is decoded: a few bytes may claim gigabytes.
"""

from __future__ import annotations

import base64
import binascii
import struct

import cv2
import numpy as np
from numpy.typing import NDArray

from core.errors import FrameError
from stream.sources.push import MAX_PIXELS, decode_picture

_PNG = b"\x89PNG\r\n\x1a\n"
# Start-of-frame markers; C4, C8 and CC between them mean something else.
_SOF = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_BARE = frozenset({0x01, *range(0xD0, 0xD9)})  # markers without a length


def from_base64(text: str) -> bytes:
    """The bytes of base64 text.

    Raises:
        FrameError: if it is not base64.
    """
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise FrameError("the image is not base64") from None


def from_data_uri(uri: str) -> bytes:
    """The bytes of a data URI; other addresses are not fetched.

    Raises:
        FrameError: if it is anything else.
    """
    head, comma, body = uri.partition(",")
    if not head.lower().startswith("data:image/") or not head.endswith(";base64") or not comma:
        raise FrameError(
            "image_url must be a data URI (data:image/jpeg;base64,...); addresses are not fetched"
        )
    return from_base64(body)


def decode(data: bytes) -> NDArray[np.uint8]:
    """A JPEG or PNG as RGB pixels [height, width, 3].

    Raises:
        FrameError: if it is empty, damaged, something else, or larger than 4K.
    """
    if not data:
        raise FrameError("the image is empty (0 bytes); send a JPEG or PNG file")
    width, height = size(data)
    if not 0 < width * height <= MAX_PIXELS:
        raise FrameError(f"the image has {width}x{height} pixels, at most {MAX_PIXELS} in all")
    return decode_picture(data)


def decode_uri(uri: str) -> NDArray[np.uint8]:
    """The picture in a data URI; raises `FrameError` as its two halves do."""
    return decode(from_data_uri(uri))


def encode_jpeg(pixels: NDArray[np.uint8], quality: int = 80) -> bytes:
    """RGB pixels [height, width, 3] as a JPEG file."""
    bgr = cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR)
    _, data = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, quality])
    return bytes(data)


def size(data: bytes) -> tuple[int, int]:
    """Width and height that a JPEG's or PNG's header claims.

    Raises:
        FrameError: if it is neither, or ends too early.
    """
    try:
        if data.startswith(_PNG):
            width, height = struct.unpack_from(">II", data, 16)
            return width, height
        if data.startswith(b"\xff\xd8"):
            return _jpeg_size(data)
    except (struct.error, IndexError):
        raise FrameError(f"the image ends in its header, after {len(data)} bytes") from None
    raise FrameError(f"{len(data)} bytes are neither a JPEG nor a PNG image")


def _jpeg_size(data: bytes) -> tuple[int, int]:
    at = 2
    while True:
        if data[at] != 0xFF:
            raise FrameError("the JPEG's header is damaged")
        marker = data[at + 1]
        if marker == 0x00:  # the decoder skips it as noise, and would find another size behind it
            raise FrameError("the JPEG's header is damaged")
        if marker == 0xFF:  # padding
            at += 1
        elif marker in _BARE:
            at += 2
        elif marker in _SOF:
            height, width = struct.unpack_from(">HH", data, at + 5)
            return width, height
        else:
            (length,) = struct.unpack_from(">H", data, at + 2)
            at += 2 + max(length, 2)
