"""Every question-time selector, one line each."""

from __future__ import annotations

from pruning.selectors.cacovid import CaCoVID
from pruning.selectors.closest import Closest
from pruning.selectors.emcompress import EMCompress
from pruning.selectors.even import Even
from pruning.selectors.fastv import FastV
from pruning.selectors.free_video_llm import FreeVideoLLM
from pruning.selectors.holitom_inner import HoliTomInner
from pruning.selectors.qtsplus import QTSplus
from pruning.selectors.selector import Selector

SELECTORS: tuple[type[Selector], ...] = (
    Even,
    Closest,
    HoliTomInner,
    FastV,
    FreeVideoLLM,
    EMCompress,
    CaCoVID,
    QTSplus,
)


def selectors(width: int) -> tuple[Selector, ...]:
    """Every selector in every setting worth comparing, for tokens of this width."""
    return tuple(one for selector in SELECTORS for one in selector.variants(width))
