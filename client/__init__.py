"""The clients: Python here, the browser's in `web`. Neither needs torch or server code."""

from client.answer import Answer
from client.client import Lookout

__all__ = ["Answer", "Lookout"]
