"""Every position scheme, one line each: what settings, tests and tables read."""

from __future__ import annotations

from engine.positions.continuous import Continuous
from engine.positions.gap import Gap
from engine.positions.group import Group
from engine.positions.interleave import Interleave
from engine.positions.origin import Origin
from engine.positions.overlap import Overlap
from engine.positions.scheme import Positions

SCHEMES: tuple[type[Positions], ...] = (Continuous, Origin, Interleave, Overlap, Group, Gap)
