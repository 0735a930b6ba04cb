"""A server that stops says so, ends what it was saying, and closes with 1001."""

from __future__ import annotations

import asyncio

import pytest
from websockets.exceptions import ConnectionClosed

from core.events import ModelInfo
from stream.rules import Rules
from stream.server import Server
from stream.settings import ServerSettings
from tests.fakes.cameras import FakeCameras
from tests.fakes.house import Client, House, client


async def test_clients_are_told_and_their_answers_end_before_the_connection_closes() -> None:
    async with FakeCameras("porch") as cameras:
        cameras["porch"].pause()
        server = Server(cameras, ModelInfo(name="fake"), ServerSettings(port=0), Rules())
        heard: Client | None = None
        stop, told = asyncio.Event(), asyncio.Event()

        async def serve(address: asyncio.Future[str]) -> None:
            async with server.listening() as url:
                address.set_result(url)
                await stop.wait()
            told.set()

        async with asyncio.TaskGroup() as tasks:
            address: asyncio.Future[str] = asyncio.get_running_loop().create_future()
            tasks.create_task(serve(address))
            async with client(House(await address, cameras)) as heard:
                await heard.ask("What?")
                await heard.until("response.output_text.delta")
                stop.set()
                assert (await heard.until("lookout.session.going_away"))["time_left_ms"] > 0
                done = await heard.done()
                assert (done["status"], done["status_details"]["reason"]) == (
                    "cancelled",
                    "going_away",
                )
                with pytest.raises(ConnectionClosed) as closed:
                    await heard.receive()
                assert closed.value.rcvd is not None
                assert closed.value.rcvd.code == 1001
            await asyncio.wait_for(told.wait(), 10)


async def test_a_full_server_closes_with_1013() -> None:
    async with FakeCameras("porch") as cameras:
        settings = ServerSettings(port=0, max_conversations=1)
        server = Server(cameras, ModelInfo(name="fake"), settings, Rules(), environment={})
        async with server.listening() as url, client(House(url, cameras)) as first:
            await first.until("session.created")
            async with client(House(url, cameras)) as second:
                with pytest.raises(ConnectionClosed) as closed:
                    await second.receive()
                assert closed.value.rcvd is not None
                assert closed.value.rcvd.code == 1013
