"""Pictures from strangers: read when they are what they claim, else refused before they cost."""

from __future__ import annotations

import base64
import struct

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import FrameError
from stream.conversations import pictures


def encoded(kind: str, width: int, height: int) -> bytes:
    _, data = cv2.imencode(kind, np.full((height, width, 3), (0, 0, 200), np.uint8))
    return bytes(data)


@pytest.mark.parametrize("kind", [".jpg", ".png"])
@given(width=st.integers(1, 90), height=st.integers(1, 90))
def test_the_size_is_read_from_the_header(kind: str, width: int, height: int) -> None:
    data = encoded(kind, width, height)
    assert pictures.size(data) == (width, height)
    assert pictures.decode(data).shape == (height, width, 3)


def test_a_data_uri_gives_rgb_pixels() -> None:
    uri = "data:image/png;base64," + base64.b64encode(encoded(".png", 3, 2)).decode()
    pixels = pictures.decode_uri(uri)
    assert pixels.shape == (2, 3, 3)
    assert pixels[0, 0].tolist() == [200, 0, 0]


def test_jpeg_survives_the_round_trip() -> None:
    pixels = np.full((30, 40, 3), (10, 200, 90), np.uint8)
    assert np.abs(pictures.decode(pictures.encode_jpeg(pixels)).astype(int) - pixels).max() < 10


@given(st.binary(max_size=200))
def test_garbage_is_refused_and_never_anything_else(data: bytes) -> None:
    with pytest.raises(FrameError):
        pictures.decode(data)


@given(cut=st.integers(0, 600), kind=st.sampled_from([".jpg", ".png"]))
def test_a_picture_cut_off_in_its_header_is_refused(cut: int, kind: str) -> None:
    data = encoded(kind, 64, 64)[: min(cut, 20)]
    with pytest.raises(FrameError):
        pictures.decode(data)


def test_a_size_hidden_behind_what_the_decoder_skips_is_not_believed() -> None:
    small = b"\xff\xc0" + struct.pack(">HBHHB", 11, 8, 16, 16, 1) + b"\x01\x11\x00"
    comment = b"\xff\xfe" + struct.pack(">H", 2 + len(small)) + small
    noise = b"\xff\x00" + struct.pack(">H", 2 + 4)  # seems to end where the small header begins
    with pytest.raises(FrameError, match="damaged"):
        pictures.size(b"\xff\xd8" + noise + comment + encoded(".jpg", 64, 48)[2:])


def test_a_claim_of_gigabytes_is_refused() -> None:
    bomb = bytearray(encoded(".png", 8, 8))
    bomb[16:24] = b"\x00\x00\xff\xff" * 2
    with pytest.raises(FrameError, match="65535x65535"):
        pictures.decode(bytes(bomb))
