"""`lookout bench live`: Lookout in real time, alone or beside others who drive its model."""

from benchmarks.live.command import main

__all__ = ["main"]
