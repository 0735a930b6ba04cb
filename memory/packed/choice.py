"""Which unpacker is used here."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from memory.packed.torch_unpacker import TorchUnpacker
from memory.packed.triton_unpacker import TritonUnpacker
from memory.packed.unpacker import Unpacker
from memory.readers.reader import Demand

# The first that can is taken; the one that always works comes last.
UNPACKERS: Mapping[str, type[Unpacker]] = MappingProxyType(
    {"triton": TritonUnpacker, "torch": TorchUnpacker}
)


def choose(demand: Demand) -> Unpacker:
    """The first of `UNPACKERS` that refuses nothing of what it will have to write."""
    return next(kind for kind in UNPACKERS.values() if kind.refuses(demand) is None)()
