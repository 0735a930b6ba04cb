"""The settings of notes, and what the engine is told of them."""

from __future__ import annotations

from pydantic import Field

from core.errors import ConfigError
from engine.noting import Noting
from models.vlm import VideoLanguageModel
from stream.section import Section


class NotesSettings(Section):
    """Short texts that the model writes about what it saw, when nobody wants anything."""

    enabled: bool = Field(False, description="Whether notes are taken.")
    question: str = Field(
        "Note what changes.",
        min_length=1,
        max_length=1000,
        pattern=r"\S",
        description="What a note answers. A model that knows standing questions may say nothing.",
    )
    every_segments: int = Field(
        8, ge=1, description="Segments from one note to the next; as many make one stale."
    )
    max_tokens: int = Field(24, ge=1, le=512, description="Longest note.")
    share: float = Field(
        0.25,
        gt=0,
        le=0.5,
        description="Part of memory.capacity that is for notes alone; the oldest gives way.",
    )

    def noting(self) -> Noting | None:
        """What the engine is to do; None: nothing."""
        if not self.enabled:
            return None
        return Noting(self.question, self.every_segments, self.max_tokens)

    def room(self, capacity: int, model: VideoLanguageModel) -> tuple[int, int]:
        """Tokens for all notes of a camera, and those that writing one takes; (0, 0): none.

        Args:
            capacity: tokens of a camera's memory.
            model: that writes them.

        Raises:
            ConfigError: if the share has no room for a note.
        """
        noting = self.noting()
        if noting is None:
            return 0, 0
        tokens, stamps = int(self.share * capacity), 2 * model.marker_tokens
        if tokens < stamps:
            raise ConfigError(
                f"memory.notes.share: {tokens} tokens of {capacity} hold no note, whose times "
                f"alone may take {stamps}; raise it or memory.capacity"
            )
        return tokens, noting.tokens(model)
