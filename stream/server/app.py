"""The web application: all routes, and every error of ours as one JSON shape."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from fastapi.staticfiles import StaticFiles
from prometheus_client import CONTENT_TYPE_LATEST
from starlette.exceptions import HTTPException

from core.errors import (
    Busy,
    CameraBlind,
    CameraExists,
    CameraNotFound,
    CapacityExceeded,
    Forbidden,
    LookoutError,
    MemoryNotSaved,
    Overloaded,
    SourceUnavailable,
    Unauthorized,
)
from core.events import ErrorBody, ModelInfo
from stream.access.auth import Doorman
from stream.access.desk import Desk
from stream.cameras.seam import CamerasSeam
from stream.conversations.hub import Hub
from stream.conversations.wire import error_body
from stream.metrics import Metrics
from stream.server.docs import add_docs
from stream.server.events import event_routes
from stream.server.realtime import realtime_routes
from stream.server.rest import camera_routes
from stream.server.whip import WhipSessions, whip_routes

# The first that fits; everything else of ours is the caller's mistake.
STATUS: tuple[tuple[type[LookoutError], int], ...] = (
    (Unauthorized, 401),
    (Forbidden, 403),
    (CameraNotFound, 404),
    (CameraExists, 409),
    (Busy, 503),
    (CameraBlind, 503),
    (CapacityExceeded, 503),
    (Overloaded, 503),
    (SourceUnavailable, 503),
    (MemoryNotSaved, 503),
    (LookoutError, 400),
)


def build_app(
    *,
    cameras: CamerasSeam,
    desk: Desk,
    hub: Hub,
    whip: WhipSessions,
    doorman: Doorman,
    metrics: Metrics,
    model: ModelInfo,
    ready: Callable[[], str | None],
    web: Path | None,
) -> FastAPI:
    """The application without the guard that stands before it.

    Args:
        cameras: shown and asked.
        desk: adds and removes them.
        hub: serves the websockets.
        whip: serves WebRTC senders.
        doorman: issues tokens.
        metrics: scraped.
        model: told to whoever asks whether we are ready.
        ready: why the server cannot answer now; None if it can.
        web: folder of the page's files; None serves no page.
    """
    app = FastAPI(title="Lookout", docs_url=None, redoc_url=None)
    app.include_router(realtime_routes(hub, doorman))
    app.include_router(camera_routes(cameras, desk))
    app.include_router(event_routes(cameras))
    app.include_router(whip_routes(whip))
    _health(app, metrics, model, ready)
    add_docs(app)
    app.add_exception_handler(LookoutError, _ours)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)
    if web is not None:
        app.mount("/", StaticFiles(directory=web, html=True), name="page")
    return app


def _health(
    app: FastAPI, metrics: Metrics, model: ModelInfo, ready: Callable[[], str | None]
) -> None:
    @app.get("/healthz", tags=["health"])
    async def healthz() -> dict[str, str]:
        """The process lives."""
        return {"status": "ok"}

    @app.get("/readyz", tags=["health"])
    async def readyz() -> JSONResponse:
        """The model is loaded and answers can be given; 503 and why not, otherwise."""
        problem = ready()
        body = {"status": problem or "ok", "model": model.model_dump()}
        return JSONResponse(body, 503 if problem else 200)

    @app.get("/metrics", tags=["health"], response_class=Response)
    async def scrape() -> Response:
        """Numbers for Prometheus."""
        return Response(metrics.text(), media_type=CONTENT_TYPE_LATEST)


async def _ours(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, LookoutError)
    status = next(code for kind, code in STATUS if isinstance(error, kind))
    headers = {"www-authenticate": "Bearer"} if status == 401 else {}
    body = error_body(error)
    if body.lookout is not None:
        headers["retry-after"] = str(-(-body.lookout.retry_after_ms // 1000))
    return _json(body, status, headers)


async def _invalid(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    param = ".".join(str(part) for part in first["loc"][1:]) or "body"
    return _json(_refusal("invalid_request", f"{param}: {first['msg']}", param), 422)


async def _http(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    body = _refusal("http_error", f"{error.detail}: {request.method} {request.url.path}")
    return _json(body, error.status_code, dict(error.headers or {}))


def _refusal(code: str, message: str, param: str | None = None) -> ErrorBody:
    return ErrorBody(type="invalid_request_error", code=code, message=message, param=param)


def _json(body: ErrorBody, status: int, headers: dict[str, str] | None = None) -> JSONResponse:
    return JSONResponse({"error": body.model_dump()}, status, headers)
