"""Which reader is used here, and why not another."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from core.errors import ConfigError
from memory.readers.flash_reader import FlashReader
from memory.readers.reader import Demand, Reader
from memory.readers.sdpa_reader import SdpaReader
from memory.readers.torch_reader import TorchReader
from memory.readers.triton_reader import TritonReader
from memory.readers.varlen_reader import VarlenReader

AUTO = "auto"
# The first that can is taken. Those for GPUs are not measured against each other yet: kernels that
# many rely on come before our own. The one that always works comes last.
READERS: Mapping[str, type[Reader]] = MappingProxyType(
    {
        "varlen": VarlenReader,
        "flash": FlashReader,
        "triton": TritonReader,
        "sdpa": SdpaReader,
        "torch": TorchReader,
    }
)


@dataclass(frozen=True, slots=True)
class Choice:
    """The reader in use."""

    name: str
    reader: type[Reader]
    refusals: Mapping[str, str]  # why each of the others that were tried cannot be used


def choose(name: str, demand: Demand) -> Choice:
    """The reader of that name, or for `auto` the first of `READERS` that can.

    Args:
        name: a key of `READERS`, or `auto`.
        demand: what it will have to read.

    Raises:
        ConfigError: if there is no such reader, or it cannot be used here.
    """
    if name != AUTO and name not in READERS:
        raise ConfigError(f"engine.reader: {name!r} is none of {', '.join([AUTO, *READERS])}")
    refusals: dict[str, str] = {}
    for known, reader in READERS.items():
        if name not in (AUTO, known):
            continue
        refusal = reader.refuses(demand)
        if refusal is None:
            return Choice(known, reader, MappingProxyType(refusals))
        refusals[known] = refusal
    reasons = "; ".join(f"{known}: {refusal}" for known, refusal in refusals.items())
    raise ConfigError(f"engine.reader: {reasons}. Leave it on {AUTO}, which takes what works")
