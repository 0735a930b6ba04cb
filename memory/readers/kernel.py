"""The Triton kernel: attention of packed queries over a chunk of each sequence's pages.

Imported only where Triton is installed. With TRITON_INTERPRET=1 set before the first import it runs
on the CPU, slowly, which is how its arithmetic is tested without a GPU.
"""

from __future__ import annotations

import triton
import triton.language as tl


# These change from step to step; a kernel for each kind of number would be compiled mid-stream.
@triton.jit(do_not_specialize=["tokens", "width"])
def attend_chunk(
    query, keys, values,  # [tokens, heads, DIM]; pool of one layer [pages, PAGE, kv_heads, DIM]
    out, lse,  # float32 [chunks, tokens, heads, DIM] and [chunks, tokens, heads]
    starts, pages, lengths,  # int32 [spans + 1], [spans, width], [spans, kv_heads]
    scale, tokens, width, kv_heads,
    PAGE: tl.constexpr, DIM: tl.constexpr, GROUP: tl.constexpr, CHUNK: tl.constexpr,
    CAUSAL: tl.constexpr, ROWS: tl.constexpr, COLUMNS: tl.constexpr, WIDE: tl.constexpr,
):  # fmt: skip
    """One program: a block of one key-value head's queries in one span, over one chunk of keys.

    Grid: (blocks of ROWS queries, spans * kv_heads, chunks). A row is a query of one of the GROUP
    heads that share the key-value head, so that a single decoded token still fills a block. A chunk
    is CHUNK slots, whatever else is in the batch.
    """
    block, span_head, chunk = tl.program_id(0), tl.program_id(1), tl.program_id(2)
    span, kv_head = span_head // kv_heads, span_head % kv_heads
    start = tl.load(starts + span)
    count = tl.load(starts + span + 1) - start
    if block * ROWS >= count * GROUP:
        return
    row = block * ROWS + tl.arange(0, ROWS)
    token = row // GROUP
    real = token < count
    dim = tl.arange(0, WIDE)
    inside = dim < DIM
    heads = kv_heads * GROUP
    place = (start + token).to(tl.int64) * heads + kv_head * GROUP + row % GROUP  # [ROWS]
    mine = real[:, None] & inside[None, :]
    q = tl.load(query + place[:, None] * DIM + dim[None, :], mask=mine, other=0.0)

    length = tl.load(lengths + span_head)
    first = chunk * CHUNK
    last = tl.minimum(length, first + CHUNK)
    peak = tl.full([ROWS], float("-inf"), tl.float32)  # of the scores so far
    total = tl.zeros([ROWS], tl.float32)
    result = tl.zeros([ROWS, WIDE], tl.float32)
    for begin in range(first, last, COLUMNS):
        slot = begin + tl.arange(0, COLUMNS)
        used = slot < last
        page = tl.load(pages + span * width + slot // PAGE, mask=used, other=0).to(tl.int64)
        where = ((page * PAGE + slot % PAGE) * kv_heads + kv_head) * DIM  # [COLUMNS]
        there = used[:, None] & inside[None, :]
        at = where[:, None] + dim[None, :]
        k = tl.load(keys + at, mask=there, other=0.0)
        v = tl.load(values + at, mask=there, other=0.0)
        scores = tl.dot(q.to(k.dtype), tl.trans(k), input_precision="ieee") * scale
        seen = used[None, :]
        if CAUSAL:
            seen = seen & (slot[None, :] <= token[:, None] + (length - count))
        scores = tl.where(seen, scores, float("-inf"))
        higher = tl.maximum(peak, tl.max(scores, 1))
        ground = tl.where(higher == float("-inf"), 0.0, higher)  # -inf - -inf would be nan
        weights = tl.exp(scores - ground[:, None])
        fade = tl.exp(peak - ground)
        total = total * fade + tl.sum(weights, 1)
        result = result * fade[:, None]
        result += tl.dot(weights.to(v.dtype), v, input_precision="ieee")
        peak = higher

    some = total > 0
    divisor = tl.where(some, total, 1.0)
    to = chunk.to(tl.int64) * tokens * heads + place
    tl.store(out + to[:, None] * DIM + dim[None, :], result / divisor[:, None], mask=mine)
    tl.store(lse + to, tl.where(some, peak + tl.log(divisor), float("-inf")), mask=real)
