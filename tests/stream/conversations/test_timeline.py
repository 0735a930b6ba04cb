"""The timeline over the websocket and the Python client."""

from __future__ import annotations

from datetime import timedelta

import pytest

from client import Lookout
from core.errors import CameraNotFound, ConfigError
from engine.requests import Noted
from tests.fakes.house import House, client, house


def noted(there: House) -> None:
    there.cameras.get("porch").noted = (
        Noted(0.5, 1.5, "A ball came."),
        Noted(2.0, 3.0, "It left."),
    )
    there.cameras.get("yard").noted = (Noted(1.0, 2.5, "A dog came."),)


async def test_a_query_is_answered_with_what_it_asks_for():
    async with house("porch", "yard") as there, client(there) as me:
        noted(there)
        await me.send("lookout.events.query", search="came", limit=5)
        result = await me.until("lookout.events.result")
        assert [event["text"] for event in result["events"]] == ["A ball came.", "A dog came."]
        await me.send("lookout.events.query", event_id="mine", camera="nowhere")
        refused = await me.until("error")
        assert refused["error"]["code"] == "camera_not_found"
        assert refused["error"]["event_id"] == "mine"


@pytest.mark.parametrize(
    "wrong", [{"limit": 0}, {"search": "x" * 201}, {"since": "yesterday"}, {"camera": "../x"}]
)
async def test_a_query_that_cannot_be_is_an_error_and_the_connection_lives(wrong):
    async with house("porch") as there, client(there) as me:
        await me.send("lookout.events.query", **wrong)
        await me.until("error")
        await me.send("lookout.events.query")
        assert (await me.until("lookout.events.result"))["events"] == []


async def test_the_client_reads_the_history_and_is_told_of_a_camera_that_is_not_there():
    async with house("porch", "yard") as there:
        noted(there)
        async with Lookout(there.url) as lookout:
            found = await lookout.history()
            assert [event.text for event in found] == ["A ball came.", "A dog came.", "It left."]
            assert [event.text for event in await lookout.history("yard")] == ["A dog came."]
            later = found[0].end.at + timedelta(seconds=0.5)
            assert len(await lookout.history(since=later)) == 2
            assert [event.text for event in await lookout.history(limit=1)] == ["It left."]
            with pytest.raises(CameraNotFound, match="nowhere"):
                await lookout.history("nowhere")
            assert len(await lookout.history("porch")) == 2, "the connection goes on"
            for wrong in ({"limit": 0}, {"camera": "../x"}, {"search": "x" * 201}):
                with pytest.raises(ConfigError, match=next(iter(wrong))):
                    await lookout.history(**wrong)
            assert len(await lookout.history("porch")) == 2, "nobody waits for what was not asked"
