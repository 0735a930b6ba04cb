"""Parts of a model compiled by torch: fewer and larger kernels where many small ones are launched.

Only what is the same for any number of tokens and touches no memory: the language model's norms,
which are many kernels each, and feed-forward parts, the vision tower's too. Attention stays ours.
The first forwards take long, while kernels are made; torch keeps them on disk for the next start.
"""

from __future__ import annotations

from typing import Any

from torch import nn


def compile_parts(model: Any, backend: str = "inductor") -> None:
    """Compile them in place; parameters keep their names.

    Args:
        model: as transformers loads it, on its device.
        backend: of torch's compiler.
    """
    for part in _parts(model):
        # Marked as of any length: a kernel for each would be compiled mid-stream.
        part.compile(dynamic=True, fullgraph=True, backend=backend)


def _parts(model: Any) -> list[nn.Module]:
    text = model.model.language_model
    parts: list[nn.Module] = [text.norm]
    for layer in text.layers:
        parts += [layer.input_layernorm, layer.post_attention_layernorm, layer.mlp]
        parts += [layer.self_attn.q_norm, layer.self_attn.k_norm]
    return [*parts, *(block.mlp for block in model.model.visual.blocks)]
