"""What all events share: frozen models, and how events that wait unsent combine."""

from __future__ import annotations

from collections.abc import Hashable
from datetime import UTC, datetime
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field

MAX_ID_CHARS = 512  # of what clients make up and the server repeats
Short = Annotated[str, Field(max_length=MAX_ID_CHARS)]


class Wire(BaseModel):
    """Base of all that crosses the wire; unknown fields are ignored, so both sides may grow."""

    model_config = ConfigDict(frozen=True, extra="ignore", ser_json_inf_nan="null")


class Stamp(Wire):
    """The key under which a server event carries what Lookout adds to it."""

    seq: int  # rises by one with every event of a connection


class ClientEvent(Wire):
    """Sent by a client; `event_id` comes back in an error about it."""

    type: str
    event_id: Short | None = None


class ServerEvent(Wire):
    """Sent by the server; id and sequence number are stamped on when it is written."""

    type: str
    event_id: str = ""
    lookout: Stamp | None = None

    @property
    def slot(self) -> Hashable | None:
        """Events that wait unsent in the same slot become one; None: each is kept."""
        return None

    def absorb(self, later: ServerEvent) -> ServerEvent:
        """This event and a later one of the same slot as one event; the newest wins."""
        return later

    def stamped(self, event_id: str, seq: int) -> Self:
        """A copy with its id and sequence number."""
        return self.model_copy(update={"event_id": event_id, "lookout": Stamp(seq=seq)})


class Moment(Wire):
    """A point in a camera's time, and the wall clock's time for it."""

    camera: str
    pts_ms: int
    at: datetime


def now() -> datetime:
    """The wall clock in UTC; serialised as RFC 3339."""
    return datetime.now(UTC)
