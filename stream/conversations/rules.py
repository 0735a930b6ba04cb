"""What conversations may do and cost."""

from __future__ import annotations

from dataclasses import dataclass

from core.events import Limits, OnNewInput


@dataclass(frozen=True, slots=True)
class Rules:
    """Limits and defaults of every conversation.

    Args:
        instructions: of a new conversation.
        max_tokens: longest answer; clients may ask for less.
        max_question_chars: longest text of one message.
        max_images: pictures a conversation keeps and a question may bring.
        max_message_bytes: longest websocket message; the websocket layer closes beyond it.
        on_new_input: what a new question does to the answer under way, until a client says else.
        slow_client_s: a client that reads nothing for so long is closed.
        drain_s: time to deliver what waits when the server goes away.
    """

    instructions: str = ""
    max_tokens: int = 128
    max_question_chars: int = 4000
    max_images: int = 4
    max_message_bytes: int = 8 * 2**20
    on_new_input: OnNewInput = "interrupt"
    slow_client_s: float = 10.0
    drain_s: float = 3.0

    @property
    def limits(self) -> Limits:
        """What clients are told."""
        return Limits(
            max_question_chars=self.max_question_chars,
            max_message_bytes=self.max_message_bytes,
            max_images=self.max_images,
        )
