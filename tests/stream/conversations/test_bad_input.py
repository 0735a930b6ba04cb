"""What a client can get wrong: one clear error each, and all else goes on."""

from __future__ import annotations

import asyncio
import base64
import contextlib

import cv2
import numpy as np
import pytest
from websockets.exceptions import ConnectionClosed

from core.events import pack_frame
from stream.conversations.rules import Rules
from tests.fakes.house import Client, client, house
from tests.waiting import eventually


def jpeg(size: int = 32) -> bytes:
    _, data = cv2.imencode(".jpg", np.full((size, size, 3), 128, np.uint8))
    return bytes(data)


async def lives(me: Client) -> None:
    """The connection still answers."""
    await me.ask("Still there?")
    assert (await me.done())["status"] == "completed"


@pytest.mark.parametrize(
    ("message", "code", "named"),
    [
        ('{"type": "lookout.watch.create"}', "unknown_event", "lookout.watch.create"),
        ('{"type": ["list"]}', "unknown_event", "list"),
        ('{"hello": 1}', "unknown_event", "type"),
        ("{not json", "invalid_json", "JSON"),
        ("[1, 2]", "invalid_json", "list"),
        ("", "invalid_json", "JSON"),
        ("[" * 100_000, "invalid_json", "JSON"),
        ('{"type": "lookout.stats.subscribe"}', "invalid_event", "interval_ms"),
        ('{"type": "lookout.stats.subscribe", "interval_ms": -1}', "invalid_event", "interval_ms"),
        (r'{"type": "lookout.clock", "event_id": "\ud800"}', "invalid_json", "JSON"),
        ('{"type": "lookout.clock", "event_id": "' + 600 * "x" + '"}', "invalid_event", "event_id"),
        (
            '{"type": "response.create", "response": {"metadata": {"' + 9999 * "k" + '": 1}}}',
            "invalid_event",
            "metadata",
        ),
        (
            '{"type": "input_image_buffer.append", "image": "eA==",'
            ' "lookout": {"captured_at": "0001-01-01T00:00:00"}}',
            "invalid_frame",
            "captured_at",
        ),
        (b"\x00\xff garbage", "invalid_frame", "LKF1"),
        (b"", "invalid_frame", "LKF1"),
        (b"LKF1\x05\x00\x00\x00" + bytes(8) + b"../.." + b"x", "invalid_frame", "camera name"),
        (pack_frame("cam", b""), "invalid_frame", "0 bytes"),
        (pack_frame("cam", b"\xff\xd8\xff not a jpeg"), "invalid_frame", "image"),
    ],
)
async def test_garbage_gives_one_error_and_the_connection_lives(
    message: str | bytes, code: str, named: str
) -> None:
    async with house("porch") as there, client(there) as me:
        await me.socket.send(message)
        error = await me.error()
        assert error["code"] == code
        assert named in error["message"] or named == error["param"]
        await me.send("session.update", session={"lookout": {"cameras": ["porch"]}})
        await lives(me)
        assert len(me.of("error")) == 1


async def test_a_burst_of_small_events_is_answered_in_full() -> None:
    async with house() as there, client(there) as me:
        for _ in range(3000):
            await me.send("lookout.clock")
        for _ in range(3000):
            await me.until("lookout.clock")


async def test_an_error_names_the_event_it_is_about() -> None:
    async with house("porch") as there, client(there) as me:
        await me.send("no.such.event", event_id="mine")
        assert (await me.error())["event_id"] == "mine"
        await me.send("conversation.item.delete", event_id="second", item_id="nothing")
        assert (await me.error())["event_id"] == "second"


async def test_a_question_of_20000_characters_is_refused_with_the_limit_and_the_remedy() -> None:
    async with house("porch") as there, client(there) as me:
        await me.ask("x" * 20_000)
        too_long = await me.error()
        assert too_long["code"] == "question_too_long"
        assert "20000" in too_long["message"]
        assert "4000" in too_long["message"]
        assert "shorten" in too_long["message"]
        assert (await me.error())["code"] == "no_question"
        assert not me.of("response.created")
        await lives(me)


@pytest.mark.parametrize(
    ("url", "named"),
    [
        ("data:image/jpeg;base64,", "0 bytes"),
        ("data:image/jpeg;base64,????", "base64"),
        ("data:image/jpeg;base64," + base64.b64encode(b"hello").decode(), "neither"),
        ("http://169.254.169.254/secret.jpg", "data URI"),
        ("data:image/png;base64," + base64.b64encode(b"\x89PNG\r\n\x1a\n").decode(), "header"),
    ],
)
async def test_a_bad_picture_in_a_message_is_refused(url: str, named: str) -> None:
    async with house("porch") as there, client(there) as me:
        content = [{"type": "input_image", "image_url": url}]
        item = {"type": "message", "role": "user", "content": content}
        await me.send("conversation.item.create", item=item)
        error = await me.error()
        assert error["code"] == "invalid_frame"
        assert named in error["message"]
        await lives(me)


async def test_a_picture_that_claims_gigabytes_is_refused_before_it_is_decoded() -> None:
    bomb = bytearray(jpeg())
    place = bomb.index(b"\xff\xc0") + 5
    bomb[place : place + 4] = b"\xff\xff\xff\xff"
    async with house("porch") as there, client(there) as me:
        await me.socket.send(pack_frame("cam", bytes(bomb)))
        error = await me.error()
        assert "65535x65535" in error["message"]


async def test_a_message_beyond_the_limit_closes_with_1009_and_disturbs_nobody_else() -> None:
    async with (
        house("porch", max_message_bytes=4096) as there,
        client(there) as me,
        client(there) as other,
    ):
        await me.until("session.created")
        await me.socket.send("x" * 5000)
        with pytest.raises(ConnectionClosed) as closed:
            while True:
                await me.receive()
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1009
        await lives(other)


async def test_a_client_that_stops_reading_is_closed_with_4008_and_others_lose_nothing() -> None:
    rules = Rules(slow_client_s=0.3, max_tokens=1000)
    async with house("porch", "yard", rules=rules) as there:
        there.cameras["porch"].words = ["x" * 65_536] * 500  # more than any socket buffer holds
        async with client(there, max_queue=1) as slow, client(there) as other:
            await slow.ask("Tell me much.", camera="porch")
            await eventually(lambda: there.cameras["porch"].asked)
            await other.ask("And me?", camera="yard")
            assert (await other.done())["status"] == "completed"
            await eventually(lambda: there.cameras["porch"].running == 0)
            with pytest.raises(ConnectionClosed) as closed:
                async with asyncio.timeout(10):
                    while True:
                        await slow.socket.recv()
            assert closed.value.rcvd is not None
            assert closed.value.rcvd.code == 4008
            await other.ask("Still there?", camera="yard")
            assert (await other.done())["status"] == "completed"


async def test_a_client_that_never_reads_again_does_not_hold_up_the_end_of_the_server() -> None:
    rules = Rules(slow_client_s=0.2, max_tokens=1000)
    async with (
        contextlib.AsyncExitStack() as outlives,
        asyncio.timeout(20),
        house("porch", rules=rules) as there,
    ):
        there.cameras["porch"].words = ["x" * 65_536] * 500
        slow = await outlives.enter_async_context(client(there, max_queue=1, close_timeout=0.1))
        await slow.ask("Tell me much.")
        await eventually(lambda: there.cameras["porch"].asked)
        await eventually(lambda: there.cameras["porch"].running == 0)


async def test_unsupported_parts_of_the_protocol_are_refused_by_name() -> None:
    async with house("porch") as there, client(there) as me:
        await me.send("session.update", session={"lookout": {"evidence": "clip"}})
        assert (await me.error())["code"] == "unsupported"
        await me.say("What was there?")
        await me.send("response.create", response={"lookout": {"at": 12.5}})
        error = await me.error()
        assert error["code"] == "unsupported"
        assert "at" in error["message"]
        await lives(me)


async def test_an_unknown_camera_is_refused_by_name() -> None:
    async with house("porch") as there, client(there) as me:
        await me.ask("What?", camera="cellar")
        error = await me.error()
        assert error["code"] == "camera_not_found"
        assert "cellar" in error["message"]
