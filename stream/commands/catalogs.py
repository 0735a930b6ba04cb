"""`lookout train | eval | bench NAME`: programs of other layers, found through entry points.

The layers import `stream`, not the other way round; so they announce their catalogs as entry points
of the group `lookout.catalogs`, and a package that is not installed is simply not there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.metadata import entry_points

from core.catalog import Job
from core.errors import ConfigError

GROUP = "lookout.catalogs"


def catalog(kind: str) -> Mapping[str, Job]:
    """The programs of a kind: train, eval or bench.

    Raises:
        ConfigError: if none are installed.
    """
    found = entry_points(group=GROUP, name=kind)
    if not found:
        raise ConfigError(f"{kind}: nothing of this kind is installed; reinstall lookout-live")
    programs: Mapping[str, Job] = next(iter(found)).load()
    return programs


def listing(kind: str) -> str:
    """All names with their descriptions, one per line."""
    return "\n".join(f"{name:<16} {one.description}" for name, one in catalog(kind).items())


def run(kind: str, name: str | None, arguments: Sequence[str]) -> int:
    """Run one; its exit status.

    Raises:
        ConfigError: if there is none of this name.
    """
    programs = catalog(kind)
    if name is None or name not in programs:
        wrong = "say which" if name is None else f"unknown name {name!r}"
        raise ConfigError(f"{kind}: {wrong}; there are: {', '.join(programs)}")
    return programs[name].main(arguments)
