"""The websocket route and the browser's ways to log in."""

from __future__ import annotations

import time

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, Field
from starlette.websockets import WebSocket

from core.errors import TokenExpired
from core.events import Error
from stream.access.auth import COOKIE, SUBPROTOCOL, Doorman, Identity, session_cookie
from stream.conversations.hub import Hub
from stream.conversations.wire import error_body

COOKIE_S = 12 * 3600.0


class ExpiresAfter(BaseModel):
    """How long a token is good for connecting; an open connection outlives it."""

    seconds: float = Field(default=60.0, ge=10, le=7200)


class SecretRequest(BaseModel):
    """Body of `POST /v1/realtime/client_secrets`."""

    expires_after: ExpiresAfter = ExpiresAfter()


class Secret(BaseModel):
    """A short-lived token, for the websocket's subprotocol `lookout.token.VALUE`."""

    value: str
    expires_at: int  # seconds since 1970


class Login(BaseModel):
    """Body of `POST /api/login`."""

    key: str = Field(min_length=1, max_length=512)


def realtime_routes(hub: Hub, doorman: Doorman) -> APIRouter:
    """`/v1/realtime`, `/v1/realtime/client_secrets`, `/api/login` and `/api/logout`."""
    router = APIRouter()

    @router.websocket("/v1/realtime")
    async def realtime(socket: WebSocket) -> None:
        offered = socket.scope.get("subprotocols", [])
        await socket.accept(subprotocol=SUBPROTOCOL if SUBPROTOCOL in offered else None)
        refused = getattr(socket.state, "unauthorized", None)
        if refused is not None:
            event = Error(error=error_body(refused)).stamped("event_0", 1)
            await socket.send_text(event.model_dump_json())
            code = 4001 if isinstance(refused, TokenExpired) else 1008
            await socket.close(code, refused.code)
        elif hub.full:
            await socket.close(1013, "overloaded: too many conversations, try again later")
        else:
            await hub.serve(socket, socket.state.identity)

    @router.post("/v1/realtime/client_secrets")
    async def client_secret(request: Request, wanted: SecretRequest | None = None) -> Secret:
        """A short-lived token for a browser, from an API key or a cookie."""
        seconds = (wanted or SecretRequest()).expires_after.seconds
        identity: Identity = request.state.identity
        token = doorman.tokens.issue(identity, seconds, may_delegate=False)
        return Secret(value=token, expires_at=int(time.time() + seconds))

    @router.post("/api/login", status_code=204)
    async def login(request: Request, given: Login) -> Response:
        """Trade an API key for a same-site cookie; 401 if the key is wrong."""
        identity = doorman.identify({"authorization": f"Bearer {given.key}"})
        response = Response(status_code=204)
        response.set_cookie(
            COOKIE,
            doorman.tokens.issue(identity, COOKIE_S, may_delegate=True),
            max_age=int(COOKIE_S),
            httponly=True,
            samesite="strict",
            secure=request.url.scheme == "https",
        )
        return response

    @router.post("/api/logout", status_code=204)
    async def logout(request: Request) -> Response:
        """Forget the cookie, here and there."""
        token = session_cookie(request.headers)
        if token:
            doorman.tokens.revoke(token)
        response = Response(status_code=204)
        response.delete_cookie(COOKIE)
        return response

    return router
