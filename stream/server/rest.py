"""Cameras over plain HTTP: list, add, remove, look."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

from fastapi import APIRouter, Path, Request, Response
from pydantic import BaseModel, Field

from core.errors import CameraBlind, CameraNotFound
from core.events import CAMERA_NAME, Camera, CameraName
from stream.access.desk import Desk
from stream.cameras.seam import CamerasSeam
from stream.conversations import pictures, wire

Name = Annotated[str, Path(pattern=CAMERA_NAME)]


class CameraRequest(BaseModel):
    """Body of `POST /api/cameras`."""

    name: CameraName
    url: str = Field(min_length=1, max_length=2048)
    fps: float | None = Field(default=None, gt=0, le=120)


class CameraList(BaseModel):
    """All cameras."""

    cameras: tuple[Camera, ...]
    load: float | None = Field(
        description="Share of the engine's time that they need together; null: not known yet."
    )


class SavedMemory(BaseModel):
    """What was written to disk of a camera's memory."""

    camera: str
    tokens: int
    newest: float = Field(description="Stream seconds of the newest frame remembered.")
    bytes: int


def camera_routes(cameras: CamerasSeam, desk: Desk) -> APIRouter:
    """`/api/cameras` and what lies below it."""
    router = APIRouter(prefix="/api/cameras", tags=["cameras"])

    @router.get("")
    async def listed() -> CameraList:
        """All cameras with their numbers."""
        all_of_them = wire.cameras(cameras)
        loads = [one.load for one in all_of_them if one.load is not None]
        return CameraList(cameras=all_of_them, load=sum(loads) if loads else None)

    @router.post("", status_code=201)
    async def attach(request: Request, wanted: CameraRequest) -> Camera:
        """Add a camera by URL; needs the admin role."""
        identity = request.state.identity
        camera = await desk.attach(identity, wanted.name, wanted.url, wanted.fps)
        return wire.camera(camera.view())

    @router.get("/{name}")
    async def one(name: Name) -> Camera:
        """One camera with its numbers."""
        return wire.camera(cameras.get(name).view())

    @router.delete("/{name}", status_code=204)
    async def detach(request: Request, name: Name) -> None:
        """Remove a camera and its memory; needs the admin role."""
        await desk.detach(request.state.identity, name)

    @router.get("/{name}/snapshot.jpg", response_class=Response)
    async def snapshot(name: Name) -> Response:
        """The newest frame as JPEG; 503 while there is none."""
        frame = cameras.get(name).latest()
        if frame is None:
            raise CameraBlind(f"camera {name} has delivered nothing yet; try again")
        jpeg = await asyncio.to_thread(pictures.encode_jpeg, frame.pixels)
        headers = {"cache-control": "no-store", "x-lookout-pts-ms": str(round(frame.pts * 1000))}
        return Response(jpeg, media_type="image/jpeg", headers=headers)

    @router.post("/{name}/memory/save")
    async def save(request: Request, name: Name) -> SavedMemory:
        """Write what the camera remembers to disk now; needs the admin role."""
        saved = await desk.save(request.state.identity, name)
        return SavedMemory(
            camera=name, tokens=saved.held, newest=saved.newest, bytes=saved.tensors_bytes
        )

    @router.get("/{name}/truth")
    async def truth(name: Name) -> dict[str, Any]:
        """What really happens in a rendered scene; 404 for real cameras."""
        known = cameras.get(name).truth()
        if known is None:
            raise CameraNotFound(f"camera {name} is no rendered scene; nobody knows its truth")
        return known

    return router
