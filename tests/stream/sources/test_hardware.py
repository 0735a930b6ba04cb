"""Decoding on a card, as far as it can be tried without one: a stand-in that decodes on the host.

The stand-in hands out planes as a card does, in NV12 by DLPack; its accelerator is a real one that
no decoder takes, so that the media library falls back to the processor.
"""

from __future__ import annotations

import gc
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import av
import av.error
import numpy as np
import pytest
import torch
from av.codec.hwaccel import HWAccel

from core.errors import ConfigError, SourceUnavailable
from core.frames import Surface
from models.surfaces import rgb
from stream.sources import MaxPace, Sources
from stream.sources.av_reader import AvReader, Medium, Timeouts
from stream.sources.base import SourceStats
from stream.sources.hardware import (
    AHEAD,
    CLOSE,
    Card,
    Few,
    Hardware,
    Processor,
    choose,
    refusal,
    surface_of,
)
from stream.sources.pace import Unpaced
from stream.sources.sampler import Sampler
from tests.rtsp.media import read_counter, write_counter_video
from tests.stream.sources.reading import counters, read

CPU, CUDA = torch.device("cpu"), torch.device("cuda", 0)
Alter = Callable[[Surface], Surface | None]


class OnTheHost(Hardware):
    """Decodes on the processor and leaves pictures as a card would."""

    def __init__(self, alter: Alter = lambda surface: surface) -> None:
        super().__init__()
        self.openings = self.failures = 0
        self._alter = alter

    def begin(self) -> HWAccel | None:
        self.openings += 1
        return HWAccel("drm", allow_software_fallback=True)

    def surface(self, picture: av.VideoFrame) -> Surface | None:
        found = surface_of(picture.reformat(format="nv12"))
        assert found is not None
        return self._alter(found)

    def failed(self) -> None:
        self.failures += 1


def at_full_speed(one: Hardware) -> Sources:
    return Sources(MaxPace(), hardware=lambda: one)


async def test_frames_carry_the_same_picture_twice(tmp_path: Path) -> None:
    film = write_counter_video(tmp_path / "film.mp4", seconds=0.4)
    frames = await read(at_full_speed(OnTheHost()).of(str(film))())
    assert counters(frames) == list(range(10))
    for number, frame in enumerate(frames[:AHEAD]):
        assert frame.surface is not None
        shown = rgb(frame.surface).numpy()
        assert read_counter(shown) == number
        assert np.abs(shown.astype(int) - frame.pixels).max() <= 3


async def test_frames_that_wait_wait_on_the_host(tmp_path: Path) -> None:
    film = write_counter_video(tmp_path / "film.mp4", seconds=1)
    waiting = await read(at_full_speed(OnTheHost()).of(str(film))())
    there = [frame.surface is not None for frame in waiting]
    assert there == [True] * AHEAD + [False] * (25 - AHEAD)
    assert counters(waiting) == list(range(25))


async def test_a_camera_that_comes_back_again_and_again_takes_no_more_of_the_card(
    tmp_path: Path,
) -> None:
    make = at_full_speed(OnTheHost()).of(str(write_counter_video(tmp_path / "a.mp4", seconds=0.4)))
    waiting = [frame for _ in range(3) for frame in await read(make())]
    assert sum(frame.surface is not None for frame in waiting) == AHEAD
    waiting.clear()
    gc.collect()  # what ended the connections holds their last frames
    assert (await read(make()))[0].surface is not None


def test_a_surface_that_was_let_go_of_makes_room() -> None:
    few = Few(1)

    def fresh() -> Surface:
        return Surface(torch.zeros(2, 2, dtype=torch.uint8), torch.zeros(1, 1, 2))

    first = few.admit(fresh())
    assert first is not None
    assert few.admit(fresh()) is None and few.admit(None) is None
    del first
    assert few.admit(fresh()) is not None


async def test_a_telephone_s_rotation_is_applied_to_both(tmp_path: Path) -> None:
    path = write_counter_video(tmp_path / "phone.mp4", seconds=0.2)
    one, none, whole = b"\0\1\0\0", b"\0\0\0\0", b"\x40\0\0\0"
    upright = one + none * 3 + one + none * 3 + whole
    clockwise = none + one + none + b"\xff\xff\0\0" + none * 4 + whole
    head, matrix, tail = path.read_bytes().rpartition(upright)
    assert matrix
    path.write_bytes(head + clockwise + tail)
    for frame in await read(at_full_speed(OnTheHost()).of(str(path))()):
        assert frame.surface is not None
        shown = rgb(frame.surface).numpy()
        assert shown.shape == frame.pixels.shape == (320, 180, 3)
        assert np.abs(shown.astype(int) - frame.pixels).max() <= 3


async def test_each_camera_keeps_its_hardware_through_all_its_connections(tmp_path: Path) -> None:
    film = write_counter_video(tmp_path / "film.mp4", seconds=0.2)
    made: list[OnTheHost] = []

    def make() -> Hardware:
        made.append(OnTheHost())
        return made[-1]

    sources = Sources(MaxPace(), hardware=make)
    first, second = sources.of(str(film)), sources.of(str(film))
    for _ in range(2):
        await read(first())
    await read(second())
    assert [one.openings for one in made] == [2, 1]
    assert [one.failures for one in made] == [0, 0]


async def test_a_stream_that_cannot_be_decoded_is_held_against_the_hardware(tmp_path: Path) -> None:
    path = write_counter_video(tmp_path / "film.mp4", seconds=1)
    film = path.read_bytes()
    start, end = film.index(b"mdat") + 4, film.index(b"moov") - 4
    path.write_bytes(film[:start] + b"\xa5" * (end - start) + film[end:])
    one = OnTheHost()
    with pytest.raises(SourceUnavailable) as caught:
        await read(at_full_speed(one).of(str(path))())
    assert caught.value.reason == "codec"
    assert one.failures == 1


async def test_what_a_card_decoded_and_will_not_give_away_is_held_against_it(
    tmp_path: Path,
) -> None:
    film = write_counter_video(tmp_path / "film.mp4", seconds=0.4)

    def full(surface: Surface) -> Surface:
        raise RuntimeError("no memory for rtsp://me:secret@porch/")

    one = OnTheHost(full)
    with pytest.raises(
        SourceUnavailable, match=r"could not be fetched \(RuntimeError\)$"
    ) as caught:
        await read(at_full_speed(one).of(str(film))())
    assert caught.value.reason == "codec"
    assert one.failures == 1


def headless(film: Path, path: Path) -> None:
    """The film as a camera sends it, but without its keyframes."""
    with av.open(str(film)) as source, av.open(str(path), "w") as target:
        stream = target.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(video=0):
            if packet.size and not packet.is_keyframe:
                packet.stream = stream
                target.mux(packet)


def garbled(film: Path, path: Path) -> None:
    """The film with noise for pictures: of each part of a packet only size and kind are left."""
    data = film.read_bytes()
    with av.open(str(film)) as source:
        for packet in source.demux(video=0):
            sent, noise = bytes(packet), b""
            while len(noise) < len(sent):
                size = int.from_bytes(sent[len(noise) : len(noise) + 4], "big")
                noise += sent[len(noise) : len(noise) + 5] + b"\xa5" * (size - 1)
            data = data.replace(sent, noise) if sent else data
    path.write_bytes(data)


def whole(film: Path, path: Path) -> None:
    path.write_bytes(film.read_bytes())


@pytest.mark.parametrize(
    ("send", "live", "reason", "failures"),
    [(whole, True, None, 0), (headless, True, "ended", 0), (garbled, True, "codec", 1),
     (garbled, False, "codec", 1)],
)  # fmt: skip
def test_a_camera_that_goes_before_its_first_keyframe_says_nothing_of_the_hardware(
    tmp_path: Path,
    send: Callable[[Path, Path], None],
    live: bool,
    reason: str | None,
    failures: int,
) -> None:
    film, sent = write_counter_video(tmp_path / "film.mp4", seconds=0.4), tmp_path / "sent.mkv"
    send(film, sent)
    one, why = OnTheHost(), None
    reader = AvReader(Medium(str(sent), "porch", live=live), Timeouts(), Unpaced, one)
    reader.open()
    try:
        shown = list(reader.frames(Sampler(1000), SourceStats(), threading.Event()))
        assert len(shown) == 10
    except SourceUnavailable as lost:
        why = lost.reason
    finally:
        reader.close()
    assert (why, one.failures) == (reason, failures)


async def test_what_cannot_be_reached_is_not(tmp_path: Path) -> None:
    one = OnTheHost()
    with pytest.raises(SourceUnavailable):
        await read(at_full_speed(one).of(str(tmp_path / "none.mp4"))())
    assert (one.openings, one.failures) == (1, 0)


async def test_where_the_card_cannot_be_had_the_processor_decodes(tmp_path: Path) -> None:
    film = write_counter_video(tmp_path / "film.mp4", seconds=0.4)

    def refuse(device: torch.device) -> HWAccel:
        raise av.error.ExternalError(1, "no such card")

    frames = await read(at_full_speed(Card(CUDA, refuse)).of(str(film))())
    assert counters(frames) == list(range(10))
    assert all(frame.surface is None for frame in frames)


async def test_pictures_that_the_card_left_to_the_processor_have_no_surface(tmp_path: Path) -> None:
    film = write_counter_video(tmp_path / "film.mp4", seconds=0.2)
    card = Card(CUDA, lambda device: HWAccel("drm", allow_software_fallback=True))
    frames = await read(at_full_speed(card).of(str(film))())
    assert len(frames) == 5 and all(frame.surface is None for frame in frames)


def test_after_a_failure_the_other_way_is_tried_and_back() -> None:
    card = Card(CUDA, lambda device: HWAccel("drm"))
    assert card.begin() is not None and card.begin() is not None
    card.failed()
    assert card.begin() is None and card.begin() is None
    card.failed()
    assert card.begin() is not None


def swapped(surface: Surface) -> Surface:
    return replace(surface, chroma=surface.chroma.flip(-1))


def late(surface: Surface) -> Surface:
    """Read before it was written: the memory still shows something else."""
    return replace(surface, luma=torch.zeros_like(surface.luma))


def test_a_decoder_is_verified_by_what_it_shows() -> None:
    assert refusal(OnTheHost()) is None
    assert "off by" in str(refusal(OnTheHost(swapped)))
    assert "off by" in str(refusal(OnTheHost(late)))
    assert "0 of 12" in str(refusal(OnTheHost(lambda surface: None)))
    assert "cannot be had" in str(refusal(Processor()))


def test_whatever_goes_wrong_while_it_is_tried_is_a_refusal() -> None:
    def broken(surface: Surface) -> Surface:
        raise RuntimeError("out of memory")

    assert refusal(OnTheHost(broken)) == "RuntimeError: out of memory"


def test_without_a_card_auto_takes_the_processor_and_cuda_is_refused() -> None:
    assert choose("auto", CPU) is Processor
    assert choose("cpu", CUDA) is Processor
    with pytest.raises(ConfigError, match=r"image\.decoder: cuda, but the model is on cpu"):
        choose("cuda", CPU)


@pytest.mark.skipif(torch.cuda.is_available(), reason="a card is there")
def test_a_card_that_is_not_there_is_refused_or_replaced(caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(ConfigError, match="cannot decode: it cannot be had"):
        choose("cuda", CUDA)
    assert choose("auto", CUDA) is Processor
    assert "video is decoded by the processor" in caplog.text


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
async def test_a_card_decodes_a_film_as_the_processor_does(tmp_path: Path) -> None:
    assert refusal(Card(CUDA)) is None
    film = write_counter_video(tmp_path / "film.mp4", seconds=2)
    here = await read(Sources(MaxPace()).of(str(film))())
    there = await read(at_full_speed(Card(CUDA)).of(str(film))())
    assert counters(there) == counters(here)
    for one, other in zip(here[:AHEAD], there, strict=False):
        assert other.surface is not None and other.surface.luma.device == CUDA
        off = rgb(other.surface).cpu().int() - torch.from_numpy(one.pixels).int()
        assert off.abs().max() <= CLOSE
