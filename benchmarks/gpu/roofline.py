"""What a model's work takes at least: operations of a frame, bytes of a decoded token."""

from __future__ import annotations

from torch import nn

from models.shapes import Drawn


def _weights(module: nn.Module) -> int:
    """Numbers in matrices that every token is multiplied with; tables that are looked up are not.

    Biases and norms are too few to count.
    """
    tables = {id(m.weight) for m in module.modules() if isinstance(m, nn.Embedding)}
    return sum(p.numel() for p in module.parameters() if p.ndim > 1 and id(p) not in tables)


def frame_flops(model: Drawn, picture: int, kept: int, held: int) -> float:
    """Operations of one frame: seen whole, and what is kept of it prefilled.

    Args:
        model: whose.
        picture: side of a frame in pixels.
        kept: visual tokens and words of a temporal step that are prefilled.
        held: tokens that each of them attends to.
    """
    inner = model.network.model
    vision, text = inner.visual.config, inner.language_model.config
    patches = (picture // vision.patch_size) ** 2  # of a temporal step
    merged = _weights(inner.visual.merger) + _weights(inner.visual.deepstack_merger_list)
    tower = _weights(inner.visual) - merged
    step = 2.0 * tower * patches + 2.0 * merged * patches / vision.spatial_merge_size**2
    step += 4.0 * vision.depth * vision.hidden_size * patches**2
    step += 2.0 * _weights(inner.language_model) * kept
    step += 4.0 * text.num_hidden_layers * text.num_attention_heads * text.head_dim * kept * held
    return float(step / vision.temporal_patch_size)


def decode_bytes(model: Drawn, answers: int, held: int) -> float:
    """Bytes read for one more token of every answer.

    Args:
        model: whose.
        answers: given at once.
        held: tokens that each attends to.
    """
    inner = model.network
    read = _weights(inner.model.language_model) + inner.lm_head.weight.numel()
    return float(read * model.shape.dtype.itemsize) + answers * held * model.shape.bytes_per_token
