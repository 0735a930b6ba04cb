"""One tokenizer for all tests here; torch on one thread, because others share the cores."""

from __future__ import annotations

import pytest
import torch

from training.layout import Tongue
from training.vocabulary import new_tokenizer


@pytest.fixture(scope="session", autouse=True)
def _one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def tongue() -> Tongue:
    return Tongue(new_tokenizer())
