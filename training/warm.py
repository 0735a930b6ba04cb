"""Starting from the weights of an earlier model of the same size, whose vocabulary may differ."""

from __future__ import annotations

from pathlib import Path

import torch
from transformers import AutoTokenizer, PreTrainedTokenizerFast, Qwen3VLForConditionalGeneration

from core.errors import ConfigError


@torch.no_grad()
def take_up(
    model: Qwen3VLForConditionalGeneration, tokenizer: PreTrainedTokenizerFast, folder: Path
) -> None:
    """Give `model` the weights in `folder`; those of words go to the same words.

    Words that the earlier model did not know keep the weights they have.

    Raises:
        ConfigError: if the folder holds no model, or one of another size.
    """
    if not (folder / "config.json").is_file():
        raise ConfigError(f"{folder}: no model to start from")
    earlier = Qwen3VLForConditionalGeneration.from_pretrained(folder, dtype=torch.float32)
    known = AutoTokenizer.from_pretrained(folder).get_vocab()
    words = earlier.get_input_embeddings().weight
    state = earlier.state_dict()
    shapes = {name: weight.shape for name, weight in model.state_dict().items()}
    rows = [name for name, weight in state.items() if weight.shape == words.shape]
    others = {name: weight for name, weight in state.items() if name not in rows}
    if any(shapes.get(name) != weight.shape for name, weight in others.items()):
        raise ConfigError(f"{folder}: a model of another size")
    model.load_state_dict(others, strict=False)
    target = model.get_input_embeddings().weight
    for word, place in tokenizer.get_vocab().items():
        if word in known:
            target[place] = words[known[word]]
