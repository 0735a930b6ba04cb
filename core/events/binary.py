"""A frame as a binary message: 8 bytes of header, a camera name, a JPEG. No base64 to pay for.

    offset  size  what
    0       4     b"LKF1"
    4       1     length n of the camera's name in bytes, 1 to 64
    5       3     zero, reserved
    8       8     when the picture was taken, milliseconds since 1970 UTC, unsigned; 0: not known
    16      n     the camera's name, ASCII
    16 + n  rest  the JPEG

All numbers are big-endian.
"""

from __future__ import annotations

import re
import struct
from datetime import UTC, datetime

from core.errors import FrameError
from core.events.inbound import ImageLookout
from core.events.parts import CAMERA_NAME

MAGIC = b"LKF1"
_HEADER = struct.Struct(">4sB3xQ")
_LATEST_MS = 253_402_300_799_000  # the year 9999, where datetime ends


def pack_frame(camera: str, jpeg: bytes, captured_at: datetime | None = None) -> bytes:
    """The binary message for one frame.

    Raises:
        ValueError: if the camera's name is not a valid one.
    """
    if not re.fullmatch(CAMERA_NAME, camera):
        raise ValueError(
            f"{camera!r} is no camera name: letters, digits, '_', '.', '-', at most 64"
        )
    when = int(captured_at.timestamp() * 1000) if captured_at else 0
    return _HEADER.pack(MAGIC, len(camera), when) + camera.encode("ascii") + jpeg


def unpack_frame(message: bytes) -> tuple[ImageLookout, bytes]:
    """Camera and time, and the JPEG, of a binary message.

    Raises:
        FrameError: if the message does not begin with the header above.
    """
    if len(message) < _HEADER.size or message[:4] != MAGIC:
        raise FrameError(
            "a binary message must begin with 'LKF1' and the frame header; "
            "send other events as JSON text"
        )
    _, length, when = _HEADER.unpack_from(message)
    name = message[_HEADER.size : _HEADER.size + length].decode("ascii", errors="replace")
    if not re.fullmatch(CAMERA_NAME, name):
        raise FrameError(
            "the camera name in the frame header is not valid: letters, digits, '_', '.', '-'"
        )
    taken = datetime.fromtimestamp(when / 1000, UTC) if 0 < when <= _LATEST_MS else None
    lookout = ImageLookout(camera=name, captured_at=taken)
    return lookout, message[_HEADER.size + length :]
