"""Every pruning method, one line each: what settings, the command line, tests and tables read."""

from __future__ import annotations

from pruning.curvestream import CurveStream
from pruning.dtd import DTD, DTDFixed
from pruning.dycoke import DyCoke
from pruning.evs import EVS, EVSOffline
from pruning.first_of_2x2 import FirstOf2x2
from pruning.holitom import HoliTom
from pruning.none import Dense
from pruning.policy import PruningPolicy
from pruning.random import Random
from pruning.sharpv import SharpV, SharpVFixed, SharpVManual
from pruning.uniform import Uniform
from pruning.vcast import VCast
from pruning.vcast_offline import VCastOffline

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
    EVS,
    EVSOffline,
    DyCoke,
    HoliTom,
    CurveStream,
)


def policies() -> tuple[PruningPolicy, ...]:
    """Every method in every setting worth comparing."""
    return tuple(policy for method in METHODS for policy in method.variants())
