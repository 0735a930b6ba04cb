"""A client that sends pictures is a camera, as long as it stays."""

from __future__ import annotations

import base64
from datetime import UTC, datetime

import cv2
import numpy as np
from numpy.typing import NDArray

from core.events import pack_frame, unpack_frame
from stream.access.auth import hash_key, new_key
from stream.sources.push import PushSource
from tests.fakes.house import client, house
from tests.waiting import eventually

KEY = new_key()
USER = {"name": "guest", "sha256": hash_key(KEY), "role": "user"}
LOGIN = {"Authorization": f"Bearer {KEY}"}


def picture(red: int) -> NDArray[np.uint8]:
    pixels = np.zeros((48, 64, 3), np.uint8)
    pixels[..., 0] = red
    return pixels


def jpeg(red: int) -> bytes:
    _, data = cv2.imencode(".jpg", picture(red)[..., ::-1])
    return bytes(data)


async def test_a_binary_frame_makes_the_client_a_camera_until_it_leaves() -> None:
    async with house() as there, client(there) as other:
        async with client(there) as me:
            taken = datetime(2026, 11, 20, 12, 0, 0, 250_000, UTC)
            await me.socket.send(pack_frame("webcam", jpeg(200), taken))
            state = await other.until("lookout.camera.state", camera="webcam")
            assert state["state"] == "live"
            await eventually(lambda: there.cameras["webcam"].pushed)
            assert there.cameras["webcam"].captured == [taken.timestamp()]
            pixels = there.cameras["webcam"].pushed[0]
            assert pixels.shape == (48, 64, 3)
            assert abs(int(pixels[..., 0].mean()) - 200) < 8
            assert pixels[..., 2].mean() < 20
            await me.ask("What colour?", camera="webcam")
            assert (await me.done())["status"] == "completed"
        await other.until("lookout.camera.detached", camera="webcam")
        assert there.cameras.names() == []


async def test_a_frame_as_json_does_the_same() -> None:
    async with house() as there, client(there) as me:
        image = base64.b64encode(jpeg(90)).decode()
        await me.send("input_image_buffer.append", image=image, lookout={"camera": "phone"})
        await me.until("lookout.camera.state", camera="phone")
        await eventually(lambda: there.cameras["phone"].pushed)


async def test_the_name_of_somebody_elses_camera_is_refused() -> None:
    async with house("porch") as there, client(there) as me:
        await me.socket.send(pack_frame("porch", jpeg(1)))
        error = await me.error()
        assert error["code"] == "camera_exists"
        assert there.cameras["porch"].pushed == []


async def test_no_room_for_another_camera_is_said() -> None:
    async with house("porch", limit=1) as there, client(there) as me:
        await me.socket.send(pack_frame("webcam", jpeg(1)))
        assert (await me.error())["code"] == "capacity_exceeded"


async def test_frames_that_come_too_fast_give_way_to_newer_ones_and_are_counted() -> None:
    async with house() as there, client(there) as me:
        sent = 60
        for number in range(sent):
            await me.socket.send(pack_frame("webcam", jpeg(number)))
        await me.send("lookout.clock")
        await me.until("lookout.clock")
        camera = there.cameras["webcam"]
        await eventually(lambda: camera.pushed and abs(int(camera.pushed[-1][0, 0, 0]) - 59) < 8)
        await me.send("input_image_buffer.clear")
        await me.send("lookout.clock")
        await me.until("lookout.clock")
        dropped = sum(e["dropped"] for e in me.of("input_image_buffer.dropped"))
        assert dropped + len(camera.pushed) == sent


async def test_a_client_may_detach_its_own_camera_and_use_the_name_again() -> None:
    async with house() as there, client(there) as me:
        await me.socket.send(pack_frame("webcam", jpeg(1)))
        await me.until("lookout.camera.state", camera="webcam")
        await me.send("lookout.camera.detach", camera="webcam")
        await me.until("lookout.camera.detached", camera="webcam")
        await me.socket.send(pack_frame("webcam", jpeg(2)))
        await me.until("lookout.camera.state", camera="webcam")
        assert there.cameras.names() == ["webcam"]


async def test_who_lost_its_name_to_another_camera_cannot_remove_that_one() -> None:
    async with house(api_keys=[USER]) as there:
        async with client(there, headers=LOGIN) as me:
            await me.socket.send(pack_frame("porch", jpeg(1)))
            await me.until("lookout.camera.state", camera="porch")
            await there.cameras.detach("porch")  # by an admin, who then gives the name away
            await there.cameras.attach("porch", PushSource, url="push:")
            await me.send("lookout.camera.detach", camera="porch")
            assert (await me.error())["code"] == "forbidden"
        async with client(there, headers=LOGIN) as later:
            await later.send("lookout.clock")
            await later.until("lookout.clock")
            assert there.cameras.names() == ["porch"]


def test_the_header_of_a_binary_frame_survives_the_round_trip() -> None:
    taken = datetime(2026, 11, 20, 12, 0, 0, 250_000, UTC)
    lookout, data = unpack_frame(pack_frame("front-door.2", b"data", taken))
    assert (lookout.camera, lookout.captured_at, data) == ("front-door.2", taken, b"data")
