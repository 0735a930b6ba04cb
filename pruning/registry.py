"""Every pruning method, one line each: what settings, the command line, tests and tables read."""

from __future__ import annotations

from pruning.curvestream import CurveStream
from pruning.divprune import DivPrune
from pruning.dtd import DTD, DTDFixed, DTDPixels
from pruning.dycoke import DyCoke
from pruning.evs import EVS, EVSOffline
from pruning.fastvid import FastVID
from pruning.first_of_2x2 import FirstOf2x2
from pruning.flashvid import FlashVID
from pruning.fluxmem import FluxMem, FluxMemLong
from pruning.holitom import HoliTom
from pruning.longvlm import LongVLM
from pruning.none import Dense
from pruning.omnirefine import OmniRefine
from pruning.policy import PruningPolicy
from pruning.prunevid import PruneVID
from pruning.random import Random
from pruning.sharpv import SharpV, SharpVFixed, SharpVManual
from pruning.stc import STC
from pruning.stop import FastVIDSToP, FlashVIDSToP, HoliTomSToP, VisionZipSToP
from pruning.uniform import Uniform
from pruning.vcast import VCast
from pruning.vcast_offline import VCastOffline
from pruning.vidcom2 import VidCom2, VidCom2Offline
from pruning.videoscan import VideoScan
from pruning.visionzip import VisionZip

METHODS: tuple[type[PruningPolicy], ...] = (
    Dense,
    Uniform,
    Random,
    FirstOf2x2,
    VCast,
    VCastOffline,
    SharpV,
    SharpVManual,
    SharpVFixed,
    DTD,
    DTDFixed,
    DTDPixels,
    EVS,
    EVSOffline,
    DyCoke,
    HoliTom,
    CurveStream,
    OmniRefine,
    VisionZip,
    DivPrune,
    STC,
    VidCom2,
    VidCom2Offline,
    VideoScan,
    LongVLM,
    FastVID,
    FlashVID,
    PruneVID,
    FluxMem,
    FluxMemLong,
    VisionZipSToP,
    FastVIDSToP,
    FlashVIDSToP,
    HoliTomSToP,
)


def policies() -> tuple[PruningPolicy, ...]:
    """Every method in every setting worth comparing."""
    return tuple(policy for method in METHODS for policy in method.variants())
