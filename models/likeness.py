"""How like visual tokens still are, before each decoder layer, to what the vision tower gave.

What a layer reads at a visual token is its embedding, plus the DeepStack rows added before that
layer, plus all that the layers before it wrote. The last is left out of what it is compared with;
the DeepStack rows are not, or the first layers would seem to have lost what they were just given.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

import torch.nn.functional as F
from torch import Tensor, nn

from core.sending import sent
from memory.observation import Observed
from memory.readers.reader import Plan
from models.layout import Chunk


@contextmanager
def compared(layers: Sequence[nn.Module], packed: Chunk, plan: Plan) -> Iterator[None]:
    """Within it, one forward of `packed` through `layers` notes likeness where spans ask for it.

    If it fails nothing is noted, so that it may be run again.
    """
    asked = _asked(packed, plan)
    found: list[Tensor] = []  # of each layer, [visual tokens]
    with ExitStack() as stack:
        if asked:
            visual = sent(packed.visual.nonzero()[:, 0], packed.embeds.device)
            given = packed.embeds[visual].float()  # [visual tokens, d]
            for number, layer in enumerate(layers):
                if 0 < number <= len(packed.deepstack):
                    given = given + packed.deepstack[number - 1].to(given)
                hook = layer.register_forward_pre_hook(_comparing(visual, given, found))
                stack.callback(hook.remove)
        yield
    for observed, own in asked:
        for number, cosines in enumerate(found):
            observed.note_likeness(number, cosines[own])


def _asked(packed: Chunk, plan: Plan) -> list[tuple[Observed, slice]]:
    """Who asks, and which of all visual tokens are theirs."""
    before = [0, *packed.visual.cumsum(0).tolist()]
    found = [
        (span.observed, slice(before[span.start], before[span.stop]))
        for span in plan.spans
        if span.observed is not None and span.observed.states
    ]
    return [(observed, own) for observed, own in found if own.stop > own.start]


def _comparing(
    visual: Tensor, given: Tensor, found: list[Tensor]
) -> Callable[[nn.Module, tuple[Any, ...]], None]:
    def compare(module: nn.Module, read: tuple[Any, ...]) -> None:
        state = read[0][0, visual].float()  # of [1, tokens, d]
        found.append(F.cosine_similarity(state, given, dim=-1))

    return compare
