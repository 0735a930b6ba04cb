"""Small codes in bytes, bit for bit: fields of one to eight bits, and five trits to a byte.

Codes follow each other without gaps, the first in the lowest bits of the first byte; for widths
of 1, 2, 4 and 8 bits no code crosses a byte. What does not fill the last byte is zero.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import pad

TRITS_PER_BYTE = 5  # 3 ** 5 = 243 of 256 bytes are used: 1.6 bits per trit instead of 1.585


def packed_bytes(count: int, width: int) -> int:
    """Bytes that `count` codes of `width` bits take."""
    return -(-count * width // 8)


def pack(codes: Tensor, width: int, *, clamped: bool = False) -> Tensor:
    """Codes as bytes.

    Args:
        codes: integers in [0, 2 ** width), [..., n].
        width: bits of a code, 1 to 8.
        clamped: whether they were made so that none is anything else: nobody looks, and so nobody
            waits for the device that they are on.

    Returns:
        uint8 [..., ceil(n * width / 8)].

    Raises:
        ValueError: if a code does not fit, or the width is none of these.
    """
    _check(codes, 2**width, 1 <= width <= 8, clamped)
    if 8 % width == 0:  # no code crosses a byte
        fields = _runs(codes.to(torch.uint8), 8 // width)  # [..., bytes, 8 / width]
        return (fields << _steps(width, 8 // width, fields)).sum(-1, dtype=torch.uint8)
    count = codes.shape[-1]
    eights = _runs(codes.long(), 8)  # [..., words, 8]
    words = (eights << _steps(width, 8, eights)).sum(-1)  # the fields are disjoint: sum is or
    spread = (words[..., None] >> _steps(8, width, words)) & 255  # [..., words, width]
    return spread.flatten(-2)[..., : packed_bytes(count, width)].to(torch.uint8)


def unpack(packed: Tensor, width: int, count: int) -> Tensor:
    """The codes that `pack` was given.

    Args:
        packed: uint8 [..., ceil(count * width / 8)].
        width: bits of a code.
        count: codes.

    Returns:
        uint8 [..., count].

    Raises:
        ValueError: if the bytes are not those of so many codes.
    """
    _check_length(packed, packed_bytes(count, width))
    if 8 % width == 0:
        steps = _steps(width, 8 // width, packed)
        fields = (packed[..., None] >> steps) & ((1 << width) - 1)  # [..., bytes, 8 / width]
        return fields.flatten(-2)[..., :count]
    runs = _runs(packed.long(), width)  # [..., words, width]
    words = (runs << _steps(8, width, runs)).sum(-1)
    codes = (words[..., None] >> _steps(width, 8, words)) & ((1 << width) - 1)  # [..., words, 8]
    return codes.flatten(-2)[..., :count].to(torch.uint8)


def pack_trits(trits: Tensor, *, clamped: bool = False) -> Tensor:
    """Trits as bytes: the digits of a number to base 3, the first the least.

    Args:
        trits: 0, 1 or 2, [..., n].
        clamped: as `pack` has it.

    Returns:
        uint8 [..., ceil(n / 5)].

    Raises:
        ValueError: if one is something else.
    """
    _check(trits, 3, True, clamped)
    return (_runs(trits.long(), TRITS_PER_BYTE) * _powers_of_3(trits)).sum(-1).to(torch.uint8)


def unpack_trits(packed: Tensor, count: int) -> Tensor:
    """The trits that `pack_trits` was given.

    Args:
        packed: uint8 [..., ceil(count / 5)].
        count: trits.

    Returns:
        uint8 [..., count].

    Raises:
        ValueError: if the bytes are not those of so many trits.
    """
    _check_length(packed, -(-count // TRITS_PER_BYTE))
    trits = packed.long()[..., None] // _powers_of_3(packed) % 3  # [..., bytes, 5]
    return trits.flatten(-2)[..., :count].to(torch.uint8)


def _runs(x: Tensor, size: int) -> Tensor:
    filled: Tensor = pad(x, (0, -x.shape[-1] % size))
    return torch.unflatten(filled, -1, (-1, size))


def _steps(width: int, count: int, like: Tensor) -> Tensor:
    return torch.arange(0, width * count, width, dtype=like.dtype, device=like.device)


def _powers_of_3(like: Tensor) -> Tensor:
    return 3 ** torch.arange(TRITS_PER_BYTE, device=like.device)


def _check(codes: Tensor, levels: int, width_allowed: bool, clamped: bool) -> None:
    if not width_allowed:
        raise ValueError("codes have one to eight bits")
    if not clamped and codes.numel() and not 0 <= int(codes.min()) <= int(codes.max()) < levels:
        raise ValueError(f"codes lie between 0 and {levels - 1}")


def _check_length(packed: Tensor, wanted: int) -> None:
    if packed.shape[-1] != wanted:
        raise ValueError(f"{packed.shape[-1]} bytes where the codes take {wanted}")
