"""The effective settings of one connection and how a client changes them."""

from __future__ import annotations

import uuid
from typing import Any

from core.errors import InvalidRequest, Unsupported
from core.events import ModelInfo, Session, SessionLookout, SessionPatch
from stream.conversations.rules import Rules


def new_session(rules: Rules, model: ModelInfo) -> Session:
    """The settings a connection starts with."""
    return Session(
        id=f"sess_{uuid.uuid4().hex[:20]}",
        model=model.name,
        instructions=rules.instructions,
        max_output_tokens=rules.max_tokens,
        lookout=SessionLookout(on_new_input=rules.on_new_input, limits=rules.limits, model=model),
    )


def patched(session: Session, patch: SessionPatch, rules: Rules) -> Session:
    """The session after a client's update.

    Raises:
        Unsupported: for evidence that cannot be given.
        InvalidRequest: for too long instructions.
    """
    changes: dict[str, Any] = {}
    if patch.instructions is not None:
        changes["instructions"] = checked_instructions(patch.instructions, rules)
    if patch.max_output_tokens is not None:
        changes["max_output_tokens"] = token_limit(patch.max_output_tokens, rules)
    lookout = {k: v for k, v in patch.lookout if v is not None}
    check_evidence(patch.lookout.evidence)
    if lookout:
        changes["lookout"] = session.lookout.model_copy(update=lookout)
    return session.model_copy(update=changes)


def token_limit(wanted: int | str, rules: Rules) -> int:
    """Tokens of an answer: what is wanted, at most what is allowed."""
    return rules.max_tokens if isinstance(wanted, str) else min(wanted, rules.max_tokens)


def checked_instructions(text: str, rules: Rules) -> str:
    """The instructions, if they are not too long.

    Raises:
        InvalidRequest: if they are.
    """
    if len(text) > rules.max_question_chars:
        raise InvalidRequest(
            f"instructions have {len(text)} characters, at most {rules.max_question_chars}"
        )
    return text


def check_evidence(wanted: str | None) -> None:
    """Do nothing for evidence that can be given.

    Raises:
        Unsupported: for the others.
    """
    if wanted not in (None, "none", "time"):
        raise Unsupported(f"evidence {wanted!r} is not offered; allowed: none, time")
