"""Folders of files that must outlast a kill and a power cut."""

from __future__ import annotations

import os
from pathlib import Path


def flush(folder: Path) -> None:
    """Put the names in a folder on disk; blocks.

    Raises:
        OSError: if the disk does not take them.
    """
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
