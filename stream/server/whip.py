"""WebRTC in by WHIP (RFC 9725): one POST makes a camera, one DELETE ends it.

The whole answer is given at once, with every candidate; there is no trickling, so PATCH is 405. A
sender that vanishes without DELETE is noticed when its connection fails.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Protocol

from fastapi import APIRouter, Path, Request, Response

from core.errors import CameraNotFound, CapacityExceeded, InvalidRequest
from core.events import CAMERA_NAME
from stream.access.desk import Desk
from stream.cameras.seam import CameraSeam, CamerasSeam
from stream.sources.base import Source
from stream.sources.webrtc import WebRtcReceiver

log = logging.getLogger("lookout.whip")

Name = Annotated[str, Path(pattern=CAMERA_NAME)]
MAX_OFFER_BYTES = 64 * 1024
LOOK_EVERY_S = 1.0


class Receiver(Protocol):
    """The receiving end of one connection."""

    @property
    def source(self) -> Source:
        """What it receives."""

    @property
    def state(self) -> str:
        """new, connecting, connected, failed or closed."""

    async def accept(self, offer_sdp: str) -> str:
        """The answer to an offer."""

    async def close(self) -> None:
        """End the connection; idempotent."""


@dataclass(frozen=True, slots=True)
class WhipSession:
    """One sender."""

    camera: str
    receiver: Receiver
    attached: CameraSeam  # what it became; the name may be somebody else's by now


class WhipSessions:
    """All senders. Use as an async context manager; leaving it ends them all.

    Args:
        cameras: where senders become cameras.
        desk: tells everybody when one goes.
        receive: makes a receiver, given a label.
        limit: senders at once.
    """

    def __init__(
        self,
        cameras: CamerasSeam,
        desk: Desk,
        *,
        receive: Callable[[str], Receiver] = WebRtcReceiver,
        limit: int = 16,
    ) -> None:
        self._cameras = cameras
        self._desk = desk
        self._receive = receive
        self._limit = limit
        self._sessions: dict[str, WhipSession] = {}
        self._opening = 0

    async def open(self, camera: str, offer: str) -> tuple[str, str]:
        """Answer an offer and attach the camera.

        Returns:
            The session's id, which only the sender knows, and the answer.

        Raises:
            LookoutError: if the offer, the name or the number of cameras is refused.
        """
        if len(self._sessions) + self._opening >= self._limit:
            raise CapacityExceeded(f"{self._limit} senders are connected, which is the limit")
        self._opening += 1
        try:
            return await self._open(camera, offer)
        finally:
            self._opening -= 1

    async def _open(self, camera: str, offer: str) -> tuple[str, str]:
        receiver = self._receive(f"webrtc {camera}")
        try:
            answer = await receiver.accept(offer)
            attached = await self._cameras.attach(camera, lambda: receiver.source, url="webrtc:")
        except BaseException:
            await receiver.close()
            raise
        session_id = secrets.token_urlsafe(16)
        self._sessions[session_id] = WhipSession(camera, receiver, attached)
        return session_id, answer

    async def close(self, session_id: str, camera: str) -> None:
        """End one sender and remove its camera.

        Raises:
            CameraNotFound: if there is no such session.
        """
        session = self._sessions.get(session_id)
        if session is None or session.camera != camera:
            raise CameraNotFound("there is no such session; it has ended already")
        del self._sessions[session_id]
        with contextlib.suppress(CameraNotFound):  # somebody detached the camera already
            if self._cameras.get(session.camera) is session.attached:
                await self._cameras.detach(session.camera)
                self._desk.tell_detached(session.camera)
        await session.receiver.close()

    async def close_camera(self, camera: str) -> None:
        """End the sender that is this camera.

        Raises:
            CameraNotFound: if no sender is.
        """
        for session_id, session in list(self._sessions.items()):
            if session.camera == camera:
                await self.close(session_id, camera)
                return
        raise CameraNotFound(f"nobody sends as {camera}")

    async def watch(self) -> None:
        """Remove senders whose connection has failed, until cancelled."""
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            for session_id, session in list(self._sessions.items()):
                if session.receiver.state in ("failed", "closed"):
                    log.info("the sender of camera %s has gone", session.camera)
                    await self._remove(session_id, session.camera)

    async def _remove(self, session_id: str, camera: str) -> None:
        """Close a session; whatever goes wrong there is no reason to end the server."""
        try:
            await self.close(session_id, camera)
        except CameraNotFound:
            pass  # its DELETE came meanwhile
        except Exception:
            log.exception("the sender of camera %s could not be taken down", camera)

    async def __aenter__(self) -> WhipSessions:
        return self

    async def __aexit__(self, *exc: object) -> None:
        for session_id, session in list(self._sessions.items()):
            await self._remove(session_id, session.camera)


def whip_routes(sessions: WhipSessions) -> APIRouter:
    """`/whip/{camera}` and `/whip/{camera}/{session}`."""
    router = APIRouter(prefix="/whip", tags=["webrtc"])

    @router.post("/{camera}", status_code=201, response_class=Response)
    async def publish(request: Request, camera: Name) -> Response:
        """Send an SDP offer, get the answer; `Location` is what to DELETE in the end."""
        session_id, answer = await sessions.open(camera, await _offer(request))
        headers = {"location": f"/whip/{camera}/{session_id}", "cache-control": "no-store"}
        return Response(answer, 201, headers=headers, media_type="application/sdp")

    @router.delete("/{camera}/{session_id}", status_code=200, response_class=Response)
    async def unpublish(camera: Name, session_id: str) -> Response:
        """Stop sending."""
        await sessions.close(session_id, camera)
        return Response(status_code=200)

    @router.delete("/{camera}", status_code=200, response_class=Response)
    async def remove(request: Request, camera: Name) -> Response:
        """Stop somebody's sending without knowing the session; needs the admin role."""
        request.state.identity.require_admin("ending somebody's camera")
        await sessions.close_camera(camera)
        return Response(status_code=200)

    return router


async def _offer(request: Request) -> str:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/sdp":
        raise InvalidRequest(f"send the offer as application/sdp, not {kind or 'without a type'}")
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_OFFER_BYTES:
            raise InvalidRequest(f"the offer is longer than {MAX_OFFER_BYTES} bytes")
    try:
        return body.decode("utf-8")
    except UnicodeDecodeError:
        raise InvalidRequest("the offer is not UTF-8 text") from None
