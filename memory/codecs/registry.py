"""Every codec, one line each: what settings, tests and tables read."""

from __future__ import annotations

from memory.codecs.block import Block, BlockTernary
from memory.codecs.codec import Codec
from memory.codecs.kivi import KIVI
from memory.codecs.plain import Plain
from memory.codecs.vidkv import VidKV
from memory.codecs.vidkv_published import VidKVPublished

CODECS: tuple[type[Codec], ...] = (
    Block,
    BlockTernary,
    KIVI,
    Plain,
    VidKV,
    VidKVPublished,
)


def codecs() -> tuple[Codec, ...]:
    """Every codec in every setting worth comparing."""
    return tuple(codec for kind in CODECS for codec in kind.variants())
