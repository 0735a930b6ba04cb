"""One client's dialogue over one websocket: it reads, answers, reports and closes; one TaskGroup.

Everything a client can get wrong becomes one `error` event, and the conversation goes on.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import uuid
from dataclasses import dataclass
from typing import Any

from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketState

from core.errors import ClientTooSlow, LookoutError
from core.events import (
    CameraDetached,
    Error,
    GoingAway,
    ModelInfo,
    SessionCreated,
    Stats,
    now,
    unpack_frame,
)
from stream.access.auth import Identity
from stream.access.desk import Desk
from stream.cameras.seam import CamerasSeam
from stream.conversations import wire
from stream.conversations.dialogue import Dialogue
from stream.conversations.handlers import Handlers
from stream.conversations.inlet import Inlet
from stream.conversations.narration import Narration
from stream.conversations.outbox import Outbox
from stream.conversations.replies import Order, Replies
from stream.conversations.rules import Rules
from stream.conversations.session import new_session
from stream.conversations.ticker import Ticker
from stream.metrics import Metrics

log = logging.getLogger("lookout.conversation")


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What all conversations of a server share."""

    cameras: CamerasSeam
    desk: Desk
    model: ModelInfo
    rules: Rules
    metrics: Metrics


class Ended(Exception):
    """Ends a conversation from inside with a close code; never leaves this module."""

    def __init__(self, code: int, reason: str = "") -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


class Conversation:
    """Serves one accepted websocket until the client leaves or the server goes away.

    Args:
        socket: accepted.
        identity: who the client is.
        around: what it shares with others.
    """

    def __init__(self, socket: WebSocket, identity: Identity, around: Surroundings) -> None:
        self._socket = socket
        self._identity = identity
        self._around = around
        self._outbox = Outbox()
        self._dialogue = Dialogue(
            max_chars=around.rules.max_question_chars, max_images=around.rules.max_images
        )
        self._inlet = Inlet(around.cameras, self._outbox.put)
        self._ticker = Ticker(self._report)
        self._session = new_session(around.rules, around.model)
        self._leaving = asyncio.Event()
        self._reason = ""

    async def run(self) -> int:
        """Talk to the end; returns the close code."""
        around, put = self._around, self._outbox.put
        self._greet()
        stop_states = around.cameras.subscribe(lambda view: put(wire.camera_state(view)))
        stop_detached = around.desk.on_detached(lambda name: put(CameraDetached(camera=name)))
        try:
            end = await self._talk()
        finally:
            stop_states()
            stop_detached()
            for name in await self._inlet.close():
                around.desk.tell_detached(name)
        if self._socket.application_state is WebSocketState.CONNECTED:
            with contextlib.suppress(WebSocketDisconnect, RuntimeError):  # it left first
                await self._socket.close(end.code, end.reason)
        return end.code

    def leave(self, reason: str) -> None:
        """The server goes away: say so, end the answers, deliver what waits, close with 1001."""
        self._reason = reason
        self._leaving.set()

    def _greet(self) -> None:
        self._outbox.put(SessionCreated(session=self._session))
        for view in wire.views(self._around.cameras):
            self._outbox.put(wire.camera_state(view))

    async def _talk(self) -> Ended:
        """Run all tasks of the conversation; tells how it ended."""
        try:
            async with asyncio.TaskGroup() as tasks:
                replies = Replies(self._narrate, self._dialogue, tasks, self._around.metrics)
                tasks.create_task(self._read(self._handlers(replies)), name="read")
                tasks.create_task(self._write(), name="write")
                tasks.create_task(self._inlet.run(), name="inlet")
                tasks.create_task(self._ticker.run(), name="stats")
                tasks.create_task(self._depart(replies), name="depart")
        except ExceptionGroup as group:
            return _end_of(group)
        raise AssertionError("a conversation ends by an exception")

    def _handlers(self, replies: Replies) -> Handlers:
        return Handlers(
            put=self._outbox.put,
            identity=self._identity,
            session=self._session,
            rules=self._around.rules,
            cameras=self._around.cameras,
            desk=self._around.desk,
            dialogue=self._dialogue,
            replies=replies,
            inlet=self._inlet,
            ticker=self._ticker,
        )

    async def _read(self, handlers: Handlers) -> None:
        """Carry out the client's events in order, until it leaves."""
        while True:
            message = await self._socket.receive()
            if message["type"] == "websocket.disconnect":
                raise Ended(message.get("code") or 1006)
            event_id: str | None = None
            try:
                data = message.get("bytes")
                if data is not None:
                    lookout, jpeg = unpack_frame(data)
                    await self._inlet.offer(lookout, jpeg, None)
                else:
                    event = wire.parse_event(_fields(message.get("text") or ""))
                    event_id = event.event_id
                    await handlers.handle(event)
            except wire.BadEvent as error:
                self._outbox.put(Error(error=error.body))
            except LookoutError as error:
                self._outbox.put(Error(error=wire.error_body(error, event_id=event_id)))
            await asyncio.sleep(0)  # a burst must hold up neither the writer nor other clients

    async def _write(self) -> None:
        """Deliver events until the outbox is closed and empty."""
        sent = 0
        while (event := await self._outbox.get()) is not None:
            sent += 1
            text = event.stamped(f"event_{uuid.uuid4().hex[:20]}", sent).model_dump_json()
            try:
                async with asyncio.timeout(self._around.rules.slow_client_s):
                    await self._socket.send_text(text)
            except TimeoutError:
                raise ClientTooSlow("the client does not read") from None
            except WebSocketDisconnect:
                raise Ended(1006) from None
        raise Ended(1001, self._reason)

    async def _depart(self, replies: Replies) -> None:
        await self._leaving.wait()
        rules = self._around.rules
        self._outbox.put(GoingAway(time_left_ms=round(rules.drain_s * 1000), reason=self._reason))
        try:
            async with asyncio.timeout(rules.drain_s):
                await replies.close()
        except TimeoutError:
            log.warning("an answer did not end in %s s", rules.drain_s)
        self._outbox.close()

    def _narrate(self, response_id: str, item_id: str, order: Order) -> Narration:
        return Narration(
            self._outbox.put,
            response_id=response_id,
            item_id=item_id,
            camera=order.camera.name,
            metadata=order.metadata,
            side=order.side,
        )

    def _report(self) -> None:
        self._outbox.put(Stats(cameras=wire.cameras(self._around.cameras), at=now()))


def _fields(text: str) -> dict[str, Any]:
    """The JSON object in a text message.

    Raises:
        BadEvent: if there is none.
    """
    try:
        fields = json.loads(text)
        if "\\u" in text:  # half a surrogate pair is no text: nothing could be said about it
            json.dumps(fields, ensure_ascii=False).encode()
    except (ValueError, RecursionError) as error:
        detail = error.msg if isinstance(error, json.JSONDecodeError) else "cannot be read"
        raise wire.BadEvent(wire.not_json(detail)) from None
    if not isinstance(fields, dict):
        raise wire.BadEvent(wire.not_json(f"it is a {type(fields).__name__}"))
    return fields


def _end_of(group: ExceptionGroup) -> Ended:
    """How a conversation ended, of all that was raised in it."""
    ends: list[Ended] = []
    for error in group.exceptions:
        if isinstance(error, Ended):
            ends.append(error)
        elif isinstance(error, ClientTooSlow):
            ends.append(Ended(4008, "slow consumer: the client does not read"))
        else:  # one conversation dies of a mistake of ours, not the server
            log.error("a conversation failed", exc_info=error)
            ends.append(Ended(1011, "internal error"))
    return max(ends, key=lambda end: end.code)
