"""Triton kernels over packed blocks: into slots of a pool, and attention that reads codes.

Imported only where Triton is installed; with TRITON_INTERPRET=1 set before the first import they
run on the CPU, slowly. A block's numbers lie by channel, the codes of its TOKENS tokens together,
the first in the lowest bits (`memory.codecs.bits`), and come back as `memory.codecs.fitted` says.
Channel i turns with channel i + HALF, so both halves of a head are always at hand.
"""

from __future__ import annotations

import triton
import triton.language as tl

from memory.codecs import fitted

BIAS = tl.constexpr(fitted.BIAS)
PER_OCTAVE = tl.constexpr(fitted.PER_OCTAVE)


@triton.jit
def numbers(
    codes, step, centre,  # planes of all layers, or of one
    group, inside, token, largest,  # int64 [c], bool [c], int32 [t] of the block
    TOKENS: tl.constexpr, BITS: tl.constexpr,
):  # fmt: skip
    """What the codes of some tokens in some groups (channels) stand for, float32 [t, c]."""
    bit = token * BITS
    byte = group[None, :] * (TOKENS * BITS // 8) + (bit // 8)[:, None]
    code = tl.load(codes + byte, mask=inside[None, :], other=0).to(tl.int32)
    if 8 % BITS != 0:  # only then a code can end in the next byte
        over = (bit % 8 + BITS > 8)[:, None] & inside[None, :]
        code = code | (tl.load(codes + byte + 1, mask=over, other=0).to(tl.int32) << 8)
    code = (code >> (bit % 8)[:, None]) & (2**BITS - 1)
    power = tl.load(step + group, mask=inside, other=0).to(tl.float32)
    size = tl.where(power > 0, tl.exp2((power - BIAS) / PER_OCTAVE), 0.0)
    middle = tl.load(centre + group, mask=inside, other=0.0).to(tl.float32)
    x = (code.to(tl.float32) - (2**BITS - 1) / 2) * size[None, :] + middle[None, :]
    return tl.minimum(tl.maximum(x, -largest), largest)


@triton.jit(do_not_specialize=["blocks", "slots"])
def thaw_blocks(
    keys, values,  # the pool's, [layers, slots, heads, 2 * HALF]
    key_codes, key_step, key_centre, value_codes, value_step, value_centre,
    cos, sin, target,  # float32 [blocks * TOKENS, HALF]; int64 [blocks * TOKENS], -1: nowhere
    largest, blocks, slots, heads,
    TOKENS: tl.constexpr, BITS: tl.constexpr, HALF: tl.constexpr, WIDE: tl.constexpr,
):  # fmt: skip
    """One program: one block of one head in one layer. Grid: (blocks, layers * heads)."""
    block, layer_head = tl.program_id(0), tl.program_id(1)
    layer, head = (layer_head // heads).to(tl.int64), layer_head % heads
    token = tl.arange(0, TOKENS)
    channel = tl.arange(0, WIDE)
    inside = channel < HALF
    group = (layer_head.to(tl.int64) * blocks + block) * (2 * HALF) + channel

    place = block * TOKENS + token
    to = tl.load(target + place)
    there = (to >= 0)[:, None] & inside[None, :]
    at = ((layer * slots + to) * heads + head)[:, None] * (2 * HALF) + channel[None, :]

    c = tl.load(cos + place[:, None] * HALF + channel[None, :], mask=there, other=0.0)
    s = tl.load(sin + place[:, None] * HALF + channel[None, :], mask=there, other=0.0)
    a = numbers(key_codes, key_step, key_centre, group, inside, token, largest, TOKENS, BITS)
    b = numbers(key_codes, key_step, key_centre, group + HALF, inside, token, largest, TOKENS, BITS)
    tl.store(keys + at, a * c - b * s, mask=there)
    tl.store(keys + at + HALF, b * c + a * s, mask=there)

    a = numbers(value_codes, value_step, value_centre, group, inside, token, largest, TOKENS, BITS)
    tl.store(values + at, a, mask=there)
    b = numbers(
        value_codes, value_step, value_centre, group + HALF, inside, token, largest, TOKENS, BITS
    )
    tl.store(values + at + HALF, b, mask=there)


@triton.jit(do_not_specialize=["queries", "blocks"])
def attend_blocks(
    query, out, lse,  # [queries, heads, 2 * HALF]; float32 [chunks, queries, heads(, 2 * HALF)]
    key_codes, key_step, key_centre, value_codes, value_step, value_centre,  # of one layer
    cos, sin, target,  # as in `thaw_blocks`: what goes nowhere is not seen
    scale, largest, queries, blocks, kv_heads,
    TOKENS: tl.constexpr, BITS: tl.constexpr, HALF: tl.constexpr, WIDE: tl.constexpr,
    GROUP: tl.constexpr, CHUNK: tl.constexpr, ROWS: tl.constexpr, COLUMNS: tl.constexpr,
):  # fmt: skip
    """One program: queries of one key-value head over a chunk of CHUNK blocks.

    Grid: (blocks of ROWS queries, kv_heads, chunks). A row is a query of one of the GROUP heads
    that share the key-value head. COLUMNS tokens, a part of a block, are taken at once.
    """
    part, kv_head, chunk = tl.program_id(0), tl.program_id(1), tl.program_id(2)
    row = part * ROWS + tl.arange(0, ROWS)
    real = row < queries * GROUP
    channel = tl.arange(0, WIDE)
    inside = channel < HALF
    heads = kv_heads * GROUP
    place = (row // GROUP).to(tl.int64) * heads + kv_head * GROUP + row % GROUP  # [ROWS]
    mine = real[:, None] & inside[None, :]
    to = place[:, None] * (2 * HALF) + channel[None, :]
    q_a = tl.load(query + to, mask=mine, other=0.0)
    q_b = tl.load(query + to + HALF, mask=mine, other=0.0)

    peak = tl.full([ROWS], float("-inf"), tl.float32)  # of the scores so far
    total = tl.zeros([ROWS], tl.float32)
    sum_a = tl.zeros([ROWS, WIDE], tl.float32)
    sum_b = tl.zeros([ROWS, WIDE], tl.float32)
    end = tl.minimum(blocks, (chunk + 1) * CHUNK) * TOKENS
    for begin in range(chunk * CHUNK * TOKENS, end, COLUMNS):
        at = begin + tl.arange(0, COLUMNS)
        token = begin % TOKENS + tl.arange(0, COLUMNS)
        group = (kv_head.to(tl.int64) * blocks + begin // TOKENS) * (2 * HALF) + channel
        seen = tl.load(target + at) >= 0
        there = seen[:, None] & inside[None, :]
        c = tl.load(cos + at[:, None] * HALF + channel[None, :], mask=there, other=0.0)
        s = tl.load(sin + at[:, None] * HALF + channel[None, :], mask=there, other=0.0)
        a = numbers(key_codes, key_step, key_centre, group, inside, token, largest, TOKENS, BITS)
        b = numbers(
            key_codes, key_step, key_centre, group + HALF, inside, token, largest, TOKENS, BITS
        )
        k_a, k_b = (a * c - b * s).to(q_a.dtype), (b * c + a * s).to(q_a.dtype)
        scores = tl.dot(q_a, tl.trans(k_a), input_precision="ieee")
        scores = (scores + tl.dot(q_b, tl.trans(k_b), input_precision="ieee")) * scale
        scores = tl.where(seen[None, :], scores, float("-inf"))
        higher = tl.maximum(peak, tl.max(scores, 1))
        ground = tl.where(higher == float("-inf"), 0.0, higher)  # -inf - -inf would be nan
        weights = tl.exp(scores - ground[:, None])
        fade = tl.exp(peak - ground)
        total = total * fade + tl.sum(weights, 1)
        weights = weights.to(q_a.dtype)
        v = numbers(
            value_codes, value_step, value_centre, group, inside, token, largest, TOKENS, BITS
        )
        sum_a = sum_a * fade[:, None] + tl.dot(weights, v.to(q_a.dtype), input_precision="ieee")
        v = numbers(
            value_codes, value_step, value_centre, group + HALF, inside, token, largest,
            TOKENS, BITS,
        )  # fmt: skip
        sum_b = sum_b * fade[:, None] + tl.dot(weights, v.to(q_a.dtype), input_precision="ieee")
        peak = higher

    some = total > 0
    divisor = tl.where(some, total, 1.0)
    here = chunk.to(tl.int64) * queries * heads
    tl.store(out + here * (2 * HALF) + to, sum_a / divisor[:, None], mask=mine)
    tl.store(out + here * (2 * HALF) + to + HALF, sum_b / divisor[:, None], mask=mine)
    tl.store(lse + here + place, tl.where(some, peak + tl.log(divisor), float("-inf")), mask=real)
