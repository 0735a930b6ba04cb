"""What the engine needs of a video language model; the only seam between it and an architecture."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from core.frames import Segment
from core.tokens import VisualTokens
from memory.pool import KVShape
from memory.readers.reader import Plan
from memory.rotation import Rotation
from models.layout import Chunk


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """What people are told about a model."""

    name: str
    architecture: str
    parameters: int
    device: str
    dtype: str
    note: str  # what it knows, in a sentence; empty when it is a general model


class VideoLanguageModel(ABC):
    """Encodes segments, lays tokens out, runs packed forwards. Stateless between calls.

    Knows nothing of cameras, memory policies or threads; every position is passed explicitly.
    """

    info: ModelInfo
    shape: KVShape
    rotation: Rotation  # how keys are turned by their positions
    reach: int | None  # positions over which it was made to look back; None: nothing is known
    device: torch.device
    stop_ids: frozenset[int]
    opening_tokens: int  # how many at the end of `question_ids` open the answer
    silence: int | None  # the token that says nothing, of a model that knows standing questions
    # Added to its logit when one is answered: what is awaited is rarer than it was in training.
    silence_bias: float
    frames_per_step: int  # frames that one temporal step covers
    max_step_tokens: int  # most tokens of one temporal step, its timestamp and markers included
    marker_tokens: int  # most tokens of the timestamp and markers alone

    @abstractmethod
    def encode(
        self,
        segments: Sequence[Segment],
        *,
        attention: bool = False,
        pixels: bool = False,
        size: tuple[int, int] | None = None,
    ) -> list[VisualTokens]:
        """Visual tokens of each segment, dense; segments of several cameras share one call.

        Args:
            segments: what to see.
            attention: whether tokens carry the attention they receive in the last vision block.
            pixels: whether tokens carry the pixels under them, as the vision tower was shown them.
            size: (height, width) that all pictures are seen at, as if they were no larger; they are
                resized once. None: each at its own.
        """

    @abstractmethod
    def encode_image(self, pixels: NDArray[np.uint8]) -> VisualTokens:
        """Visual tokens of one still picture, [h, w, 3] RGB."""

    @abstractmethod
    def prefix(self, position: int = 0) -> Chunk:
        """What stands before everything a camera sees, from `position` on; always as long."""

    @abstractmethod
    def lay_steps(self, tokens: VisualTokens, position: int) -> Chunk:
        """Temporal steps, each under its timestamp, from `position` on; tokens may be pruned."""

    @abstractmethod
    def lay_image(self, tokens: VisualTokens, position: int) -> Chunk:
        """A still picture inside a question."""

    @abstractmethod
    def lay_text(self, ids: Sequence[int], position: int) -> Chunk:
        """Text tokens from `position` on."""

    @abstractmethod
    def question_ids(
        self, text: str, history: Sequence[tuple[str, str]], instructions: str
    ) -> list[int]:
        """Token ids of a question that follows what the camera saw, up to where the answer begins.

        Args:
            text: the question.
            history: earlier (role, text) turns, role `user` or `assistant`, user first.
            instructions: how to answer; empty for none.
        """

    @abstractmethod
    def detokenize(self, ids: Sequence[int]) -> str:
        """Text of generated ids, special tokens left out."""

    @abstractmethod
    def forward(self, chunks: Sequence[Chunk], plan: Plan) -> Tensor:
        """One packed forward over all chunks; logits of each chunk's last token, [chunks, vocab].

        Args:
            chunks: one per span of the plan, same order and lengths.
            plan: which memory and scratch each span reads, and where its keys and values go.
        """

    @abstractmethod
    def weights(self) -> Iterator[tuple[str, Tensor]]:
        """Every number that a stored key depends on, with its name, in an order that stays."""

    @abstractmethod
    def decode(self, embeds: Tensor, positions: Tensor, plan: Plan) -> Tensor:
        """A forward of one word for each sequence, made of nothing but operations on the device.

        Args:
            embeds: [n, d].
            positions: rotary (t, h, w), int64 [3, n], on the device.
            plan: which names no spans; its reader is replayable.

        Returns:
            logits, float32 [n, vocab].
        """

    @abstractmethod
    def step_tokens(self, height: int, width: int) -> int:
        """Visual tokens of one temporal step of such a picture before pruning."""
