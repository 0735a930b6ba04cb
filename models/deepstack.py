"""Features of earlier vision layers, added to what the first decoder layers make of visual tokens.

transformers does it by a mask, for which the host must wait until the device knows how many places
it marks, twice in every such layer. The places are known on the host beforehand.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

from torch import Tensor, nn

from core.sending import sent
from models.layout import Chunk


@contextmanager
def deepened(layers: Sequence[nn.Module], packed: Chunk) -> Iterator[None]:
    """Within it, a forward of `packed` through `layers` adds its DeepStack rows where they belong.

    Args:
        layers: of the decoder, as many as there are levels at least.
        packed: what is run.
    """
    with ExitStack() as stack:
        if packed.deepstack and bool(packed.visual.any()):
            places = sent(packed.visual.nonzero()[:, 0], packed.embeds.device)
            for layer, level in zip(layers, packed.deepstack, strict=False):
                hook = layer.register_forward_hook(_adding(places, level))
                stack.callback(hook.remove)
        yield


def _adding(places: Tensor, level: Tensor) -> Callable[[nn.Module, tuple[Any, ...], Tensor], None]:
    def add(module: nn.Module, read: tuple[Any, ...], made: Tensor) -> None:
        made[0].index_add_(0, places, level.to(made))  # of [1, tokens, d]; nobody else holds it

    return add
