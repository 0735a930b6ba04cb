"""Where pictures are decoded: on the processor, or by the card that the model runs on.

A card's decoder leaves a picture in the card's memory, where the model takes it (`Frame.surface`);
the frames that are sampled are copied to the host as well, for the page and for what finds cuts.
Nobody's word is taken for it that a card decodes rightly: `refusal` makes a film and compares.
"""

from __future__ import annotations

import io
import logging
import weakref
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial

import av
import av.error
import numpy as np
import torch
from av.codec.hwaccel import HWAccel
from numpy.typing import NDArray
from torch.utils.dlpack import from_dlpack

from core.errors import ConfigError
from core.frames import BT601, Surface
from models.surfaces import Surfaces

log = logging.getLogger("lookout.source")

PROBE = (256, 192)  # pixels; cards refuse much smaller ones
PROBE_FRAMES = 12
AHEAD = 8  # surfaces of a camera that live at once; 3 MB each at 1920x1080
CLOSE = 4  # levels of 255 that two decoders' colours may differ by
_BT709, _BT2020 = (0.2126, 0.0722), (0.2627, 0.0593)
_WEIGHTS = {1: _BT709, 9: _BT2020, 10: _BT2020}  # by H.273's matrix coefficients; else BT.601
_FULL_RANGE = 2


class Hardware(ABC):
    """Where one camera's pictures are decoded, through all its connections. On a source's thread.

    Attributes:
        few: lets so many of its surfaces live at once, those of earlier connections among them.
    """

    def __init__(self) -> None:
        self.few = Few(AHEAD)

    @abstractmethod
    def begin(self) -> HWAccel | None:
        """What the opening that comes now decodes with; None: the processor."""

    @abstractmethod
    def surface(self, picture: av.VideoFrame) -> Surface | None:
        """What the card keeps of a picture; None if there is nothing that the model can take.

        Args:
            picture: decoded.
        """

    @abstractmethod
    def failed(self) -> None:
        """The opening that was begun last could not decode what came, or not fetch it."""


class Processor(Hardware):
    """Decodes on the processor, always."""

    def begin(self) -> HWAccel | None:
        """Nothing."""
        return None

    def surface(self, picture: av.VideoFrame) -> Surface | None:
        """Nothing."""
        return None

    def failed(self) -> None:
        """Nothing else could be tried."""


class Card(Hardware):
    """Decodes on a CUDA device; on the processor where that cannot be, or after it failed.

    Args:
        device: with its index.
        make: makes the accelerator; raises av.error.FFmpegError where it cannot.
    """

    def __init__(
        self, device: torch.device, make: Callable[[torch.device], HWAccel] | None = None
    ) -> None:
        super().__init__()
        self._device = device
        self._make = make or accelerator
        self._wanted = True

    def begin(self) -> HWAccel | None:
        """The accelerator, unless the opening before showed that it is of no use here."""
        if not self._wanted:
            return None
        try:
            return self._make(self._device)
        except (av.error.FFmpegError, NotImplementedError) as error:
            log.warning("%s cannot decode now: %s", self._device, type(error).__name__)
            return None

    def surface(self, picture: av.VideoFrame) -> Surface | None:
        """The picture on the card; None where it was decoded elsewhere or in another format."""
        if picture.format.name != "cuda":
            return None
        found = surface_of(picture)
        if found is None:
            return None
        written = torch.cuda.Event()  # type: ignore[no-untyped-call]
        written.record(torch.cuda.default_stream(self._device))
        return replace(found, written=written)

    def failed(self) -> None:
        """Next time the other way: neither is worse than the one that has just failed."""
        self._wanted = not self._wanted
        if not self._wanted:
            log.warning("%s does not decode a stream: the processor tries", self._device)


class Few:
    """Lets so many surfaces of a camera live at once: where frames wait, they wait on the host.

    A card has room for its decoders beside the model, but not for what overload leaves lying.

    Args:
        most: surfaces.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._alive: weakref.WeakSet[Surface] = weakref.WeakSet()

    def admit(self, surface: Surface | None) -> Surface | None:
        """The surface, or None where there are enough already."""
        if surface is None or len(self._alive) >= self._most:
            return None
        self._alive.add(surface)
        return surface


def accelerator(device: torch.device) -> HWAccel:
    """FFmpeg's CUDA decoders, sharing torch's context; pictures stay on the card.

    Raises:
        av.error.FFmpegError: if the card cannot be had.
    """
    found = HWAccel("cuda", str(device.index or 0), allow_software_fallback=True, is_hw_owned=True)
    found.create(av.Codec("h264", "r"))  # before a camera is called, whose failures are others
    return found


def surface_of(picture: av.VideoFrame) -> Surface | None:
    """A picture's planes where they are, by DLPack; nothing is copied.

    Args:
        picture: on a card, or on the host.

    Returns:
        None unless it is NV12 with an even number of rows and columns.
    """
    own = picture.sw_format or picture.format
    if own.name != "nv12" or picture.height % 2 or picture.width % 2:
        return None
    # The capsule, not the plane: torch would name its stream, which the planes do not take.
    luma, chroma = (from_dlpack(plane.__dlpack__()) for plane in picture.planes)
    return Surface(
        luma,
        chroma,
        _WEIGHTS.get(int(picture.colorspace), BT601),
        int(picture.color_range) == _FULL_RANGE,
        quarter_turns(picture),
    )


def choose(decoder: str, device: torch.device) -> Callable[[], Hardware]:
    """Makes what decodes a camera's video; tries it first.

    Args:
        decoder: as configured.
        device: where the model is.

    Raises:
        ConfigError: if the device is asked for and cannot.
    """
    if decoder == "cpu" or (decoder == "auto" and device.type != "cuda"):
        return Processor
    if device.type != "cuda":
        raise ConfigError(f"image.decoder: cuda, but the model is on {device.type}")
    why = refusal(Card(device))
    if why is None:
        log.info("video is decoded by %s", device)
        return partial(Card, device)
    if decoder == "cuda":
        raise ConfigError(f"image.decoder: {device} cannot decode: {why}")
    log.warning("video is decoded by the processor, not by %s: %s", device, why)
    return Processor


def refusal(hardware: Hardware) -> str | None:
    """Why it does not decode as the processor does; None if it does.

    Args:
        hardware: of its own, not a source's.
    """
    try:
        film = _film()
        accel = hardware.begin()
        if accel is None:
            return "it cannot be had for decoding"
        expected = [picture.to_ndarray(format="rgb24") for picture in _decoded(film, None)]
        surfaces = [hardware.surface(picture) for picture in _decoded(film, accel)]
        found = [one for one in surfaces if one is not None]
        if len(found) != len(expected):
            return f"it decoded {len(found)} of {len(expected)} pictures of H.264"
        seen = Surfaces().read(found).cpu().numpy()
    except Exception as error:  # whatever it is, the processor decodes instead
        return f"{type(error).__name__}: {error}"
    off = int(np.abs(seen.astype(np.int16) - np.stack(expected)).max())
    return f"its pictures are off by {off} levels of 255" if off > CLOSE else None


def _film() -> bytes:
    """H.264 of shades and colours that move, so that no two pictures are alike."""
    file = io.BytesIO()
    with av.open(file, "w", format="matroska") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.width, stream.height = PROBE
        stream.pix_fmt = "yuv420p"
        for n in range(PROBE_FRAMES):
            for packet in stream.encode(av.VideoFrame.from_ndarray(_scene(n), format="rgb24")):
                container.mux(packet)
        for packet in stream.encode(None):
            container.mux(packet)
    return file.getvalue()


def _scene(number: int) -> NDArray[np.uint8]:
    rows, columns = np.mgrid[: PROBE[1], : PROBE[0]]
    phase = number / 3
    waves = rows / 17 + phase, columns / 23 - phase, (rows + columns) / 31 + phase
    return np.stack([128 + 120 * np.sin(wave) for wave in waves], axis=-1).astype(np.uint8)


def _decoded(film: bytes, accel: HWAccel | None) -> Iterator[av.VideoFrame]:
    with av.open(io.BytesIO(film), hwaccel=accel) as container:
        yield from container.decode(video=0)


def quarter_turns(picture: av.VideoFrame) -> int:
    """Against the clock, until a picture is upright: telephones note it instead of turning."""
    return int(round(picture.rotation / 90) % 4)
