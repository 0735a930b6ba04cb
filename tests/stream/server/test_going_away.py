"""A server that stops says so, ends what it was saying, and closes with 1001."""

from __future__ import annotations

import asyncio

import pytest
from websockets.exceptions import ConnectionClosed

from tests.fakes.house import House, client, house


async def test_clients_are_told_and_their_answers_end_before_the_connection_closes() -> None:
    stop = asyncio.Event()

    async def serve(there: asyncio.Future[House]) -> None:
        async with house("porch") as opened:
            there.set_result(opened)
            await stop.wait()

    async with asyncio.timeout(20), asyncio.TaskGroup() as tasks:
        there: asyncio.Future[House] = asyncio.get_running_loop().create_future()
        tasks.create_task(serve(there))
        async with client(await there) as me:
            there.result().cameras["porch"].pause()
            await me.ask("What?")
            await me.until("response.output_text.delta")
            stop.set()
            assert (await me.until("lookout.session.going_away"))["time_left_ms"] > 0
            done = await me.done()
            assert (done["status"], done["status_details"]["reason"]) == ("cancelled", "going_away")
            with pytest.raises(ConnectionClosed) as closed:
                await me.receive()
            assert closed.value.rcvd is not None
            assert closed.value.rcvd.code == 1001


async def test_a_full_server_closes_with_1013() -> None:
    async with house("porch", max_conversations=1) as there, client(there) as first:
        await first.until("session.created")
        async with client(there) as second:
            with pytest.raises(ConnectionClosed) as closed:
                await second.receive()
            assert closed.value.rcvd is not None
            assert closed.value.rcvd.code == 1013
