"""Compiled calls give the same numbers and gradients, and leave the model's names alone."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch

from training.architecture import Size, embedded_config, new_model
from training.compiling import compile_calls, compiled
from training.embedded import _phases
from training.eye import see
from training.film import Darkroom
from training.settings import DEFAULTS, load
from training.streams import StreamPhase
from training.vocabulary import SPECIAL, new_tokenizer

SMALL = Size(8, (32, 1, 2, 64), (0,), (64, 1, 2, 1, 32, 64))  # one layer of each
CPU = torch.device("cpu")
# Said by modules of torch when the compiler is first loaded, and by its look at its own inputs.
pytestmark = [
    pytest.mark.filterwarnings("ignore:.*torch.jit.script.*:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor:UserWarning"),
]


@pytest.fixture
def calls() -> Iterator[list[str]]:
    """Names of the graphs that were compiled."""
    torch._dynamo.reset()
    seen: list[str] = []

    def backend(graph, inputs):
        seen.append(str(graph))
        return graph.forward

    torch._dynamo.register_backend(backend, name="counted_for_tests")
    yield seen
    torch._dynamo.reset()


def small():
    tokenizer = new_tokenizer()
    special = {name: tokenizer.convert_tokens_to_ids(name) for name in SPECIAL}
    return new_model(embedded_config(special, SMALL), seed=5), tokenizer


def remembered(phase: StreamPhase, batch) -> tuple[torch.Tensor, float]:
    """What the language model makes of a clip, and the size of the eye's gradient."""
    features, taps = see(phase.model, phase._room.develop(batch.film))
    keep = torch.arange(36).expand(len(features), -1) < batch.counts[:, None]
    _, states, _ = phase._remember(batch.memories, features, taps, keep)
    states[-1].square().mean().backward()
    size = float(phase.model.model.visual.patch_embed.proj.weight.grad.norm())
    phase.model.zero_grad()
    return states[-1].detach(), size


def test_results_and_names_are_those_of_the_model_as_it_was(calls):
    model, tokenizer = small()
    phase = dict(
        (p.name, p)
        for p, _ in _phases(load(DEFAULTS["xs"]).tiny(), model, tokenizer, Darkroom(CPU, 0))
    )["streams"]
    batches = phase.data(1)
    two = [next(batches), next(batches)]
    names = list(phase.state_dict())
    plain = [remembered(phase, batch) for batch in two]
    compile_calls(model, "counted_for_tests")
    again = [remembered(phase, batch) for batch in two]
    assert calls, "something was compiled"
    assert list(phase.state_dict()) == names
    for (one, before), (other, after) in zip(plain, again, strict=True):
        assert torch.allclose(one, other, atol=1e-5)
        assert after == pytest.approx(before, rel=1e-4)


@pytest.mark.parametrize(
    ("wanted", "line"), [(True, "needs CUDA, this is cpu"), (False, "compile is false")]
)
def test_where_nothing_is_compiled_the_log_says_why(wanted, line):
    model, _ = small()
    done, said = compiled(model, wanted, CPU)
    assert not done and line in said
    assert model.model.visual._compiled_call_impl is None


def test_on_a_cuda_device_both_parts_are_compiled_at_their_next_call():
    model, _ = small()
    names = list(model.state_dict())
    done, said = compiled(model, True, torch.device("cuda"))
    assert done and "are compiled" in said
    for part in (model.model.visual, model.model.language_model):
        assert part._compiled_call_impl is not None
    assert list(model.state_dict()) == names
