"""What each event of a client does. One method per event; refusals are `LookoutError`s."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from core.errors import CameraNotFound, NoQuestion, Unsupported
from core.events import (
    AnyClientEvent,
    CameraAttach,
    CameraDetach,
    CameraList,
    CameraListed,
    CameraUpdate,
    ClientEvent,
    Clock,
    ClockQuery,
    EventsQuery,
    EventsResult,
    ImageAppend,
    ImageClear,
    InputImage,
    ItemAdded,
    ItemCreate,
    ItemDelete,
    ItemDeleted,
    ItemDone,
    ResponseCancel,
    ResponseCreate,
    ResponseOptions,
    ServerEvent,
    Session,
    SessionUpdate,
    SessionUpdated,
    StatsSubscribe,
    now,
)
from stream.access.auth import Identity
from stream.access.desk import Desk
from stream.cameras.seam import CameraSeam, CamerasSeam
from stream.conversations import pictures, wire
from stream.conversations.dialogue import Asked, Dialogue, asked
from stream.conversations.inlet import Inlet
from stream.conversations.replies import Order, Replies
from stream.conversations.rules import Rules
from stream.conversations.session import check_evidence, checked_instructions, patched, token_limit
from stream.conversations.ticker import Ticker
from stream.conversations.timeline import timeline

Handler = Callable[[Any], Awaitable[None]]


class Handlers:
    """Carries out the events of one conversation.

    Args:
        put: takes events for the client.
        session: the effective settings at the start.
    """

    def __init__(
        self,
        *,
        put: Callable[[ServerEvent], None],
        identity: Identity,
        session: Session,
        rules: Rules,
        cameras: CamerasSeam,
        desk: Desk,
        dialogue: Dialogue,
        replies: Replies,
        inlet: Inlet,
        ticker: Ticker,
    ) -> None:
        self._put = put
        self._identity = identity
        self._session = session
        self._rules = rules
        self._cameras = cameras
        self._desk = desk
        self._dialogue = dialogue
        self._replies = replies
        self._inlet = inlet
        self._ticker = ticker
        self._refused: str | None = None  # why the newest message was not taken
        self._handlers: dict[type[ClientEvent], Handler] = {
            SessionUpdate: self._session_update,
            ItemCreate: self._item_create,
            ItemDelete: self._item_delete,
            ResponseCreate: self._response_create,
            ResponseCancel: self._response_cancel,
            ImageAppend: self._image_append,
            ImageClear: self._image_clear,
            CameraAttach: self._camera_attach,
            CameraUpdate: self._camera_update,
            CameraDetach: self._camera_detach,
            CameraList: self._camera_list,
            EventsQuery: self._events_query,
            StatsSubscribe: self._stats_subscribe,
            ClockQuery: self._clock,
        }

    async def handle(self, event: AnyClientEvent) -> None:
        """Carry out one event.

        Raises:
            LookoutError: if it is refused; nothing has changed then.
        """
        await self._handlers[type(event)](event)

    async def _session_update(self, event: SessionUpdate) -> None:
        for name in event.session.lookout.cameras or ():
            self._cameras.get(name)
        self._session = patched(self._session, event.session, self._rules)
        self._put(SessionUpdated(session=self._session))

    async def _item_create(self, event: ItemCreate) -> None:
        self._refused = "it was refused"
        item = self._dialogue.accepted(event.item)
        for part in item.content:
            if isinstance(part, InputImage):
                await asyncio.to_thread(pictures.decode_uri, part.image_url)
        before, gone = self._dialogue.add(item, event.previous_item_id)
        self._refused = None
        self._put(ItemAdded(previous_item_id=before, item=_without_pictures(item)))
        self._put(ItemDone(previous_item_id=before, item=_without_pictures(item)))
        for item_id in gone:
            self._put(ItemDeleted(item_id=item_id))

    async def _item_delete(self, event: ItemDelete) -> None:
        self._dialogue.delete(event.item_id)
        self._put(ItemDeleted(item_id=event.item_id))

    async def _response_create(self, event: ResponseCreate) -> None:
        options = event.response
        if options.lookout.at is not None:
            raise Unsupported("asking about a moment (`at`) is not offered; ask in words instead")
        check_evidence(options.lookout.evidence)
        camera = self._camera(options.lookout.camera)
        instructions = (
            self._session.instructions
            if options.instructions is None
            else checked_instructions(options.instructions, self._rules)
        )
        order = Order(
            asked=self._asked(options),
            camera=camera,
            instructions=instructions,
            max_tokens=token_limit(
                options.max_output_tokens or self._session.max_output_tokens, self._rules
            ),
            temperature=options.temperature,
            evidence=(options.lookout.evidence or self._session.lookout.evidence) != "none",
            side=options.conversation == "none",
            metadata=options.metadata,
        )
        self._replies.start(order, self._session.lookout.on_new_input)

    def _asked(self, options: ResponseOptions) -> Asked:
        """The question: what the client says here, or what the conversation holds."""
        if options.input:
            items = [self._dialogue.accepted(item) for item in options.input]
            users = [place for place, item in enumerate(items) if item.role == "user"]
            if not users:
                raise NoQuestion("response.input holds no message of the user")
            return asked([items[users[-1]]], items[: users[-1]])
        if self._refused:
            raise NoQuestion("there is no question: the last conversation.item.create was refused")
        return self._dialogue.ask()

    def _camera(self, name: str | None) -> CameraSeam:
        """The camera that is meant.

        Raises:
            CameraNotFound: if it is not there or not clear.
        """
        if name is not None:
            return self._cameras.get(name)
        if self._session.lookout.cameras:
            return self._cameras.get(self._session.lookout.cameras[0])
        names = self._cameras.names()
        if len(names) == 1:
            return self._cameras.get(names[0])
        known = ", ".join(names) or "none; attach one first"
        raise CameraNotFound(f"say which camera in response.lookout.camera; there are: {known}")

    async def _response_cancel(self, event: ResponseCancel) -> None:
        self._replies.cancel(event.response_id)

    async def _image_append(self, event: ImageAppend) -> None:
        data = pictures.from_base64(event.image)
        await self._inlet.offer(event.lookout, data, event.event_id)

    async def _image_clear(self, event: ImageClear) -> None:
        self._inlet.clear()

    async def _camera_attach(self, event: CameraAttach) -> None:
        camera = await self._desk.attach(self._identity, event.camera, event.url, event.fps)
        self._put(wire.camera_state(camera.view()))

    async def _camera_update(self, event: CameraUpdate) -> None:
        camera = await self._desk.replace(self._identity, event.camera, event.url, event.fps)
        self._put(wire.camera_state(camera.view()))

    async def _camera_detach(self, event: CameraDetach) -> None:
        if self._inlet.owns(event.camera):
            await self._inlet.detach(event.camera)
            self._desk.tell_detached(event.camera)
        else:
            await self._desk.detach(self._identity, event.camera)

    async def _camera_list(self, event: CameraList) -> None:
        self._put(CameraListed(cameras=wire.cameras(self._cameras)))

    async def _events_query(self, event: EventsQuery) -> None:
        self._put(EventsResult(events=timeline(self._cameras, event)))

    async def _stats_subscribe(self, event: StatsSubscribe) -> None:
        self._ticker.every(event.interval_ms / 1000)

    async def _clock(self, event: ClockQuery) -> None:
        self._put(Clock(client_time=event.client_time, server_time=now()))


def _without_pictures(item: Any) -> Any:
    """The item as echoed: the client knows its pictures, and they are long."""
    words = tuple(part for part in item.content if not isinstance(part, InputImage))
    return item.model_copy(update={"content": words})
