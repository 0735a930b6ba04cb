"""The browser client: static files that the server hands out as they stand, without a build."""

from importlib.resources import files
from pathlib import Path

FOLDER: Path = Path(str(files(__name__)))
"""Where index.html and all it needs lie."""
