"""Where frames come from: network cameras, files, capture devices, rendered scenes, browsers."""

from stream.sources.address import redact
from stream.sources.base import EndOfSource, Source, SourceInfo, SourceStats
from stream.sources.factory import Sources, open_source
from stream.sources.pace import MaxPace, Pace, RealtimePace
from stream.sources.push import PushSource

__all__ = [
    "EndOfSource",
    "MaxPace",
    "Pace",
    "PushSource",
    "RealtimePace",
    "Source",
    "SourceInfo",
    "SourceStats",
    "Sources",
    "open_source",
    "redact",
]
