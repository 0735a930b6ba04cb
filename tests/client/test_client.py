"""The Python client against a real server: what the interface promises, without torch."""

from __future__ import annotations

import asyncio
import subprocess
import sys

import cv2
import numpy as np
import pytest

from client import Lookout
from client.client import websocket_url
from core.errors import (
    CameraExists,
    CameraNotFound,
    ConfigError,
    ConnectionLost,
    LookoutError,
    QuestionTooLong,
    Unauthorized,
)
from core.events import CameraState, Error, StatsSubscribe
from stream.access.auth import hash_key, new_key
from stream.conversations.rules import Rules
from tests.fakes.house import house
from tests.waiting import eventually


async def test_an_answer_comes_word_by_word() -> None:
    async with house("porch") as there, Lookout(there.url) as lookout:
        answer = lookout.ask("porch", "What is there?")
        words = [delta async for delta in answer]
        assert "".join(words) == answer.text == "a red circle"
        assert answer.response is not None
        assert answer.response.status == "completed"
        assert answer.response.lookout.timing is not None
        assert answer.response.lookout.timing.ttft_ms == 5.0
        assert [(e.camera, e.t_start, e.t_end) for e in answer.evidence] == [("porch", 1.0, 3.5)]


async def test_the_server_introduces_itself() -> None:
    async with house("porch") as there, Lookout(there.url) as lookout:
        assert lookout.session.model == "fake"
        assert [camera.name for camera in await lookout.cameras()] == ["porch"]


async def test_a_cancelled_answer_ends_with_what_was_said() -> None:
    async with house("porch") as there, Lookout(there.url) as lookout:
        there.cameras["porch"].pause()
        answer = lookout.ask("porch", "What is there?")
        async for _ in answer:
            await answer.cancel()
            await answer.cancel()
        assert answer.text == "a "
        assert answer.response is not None
        assert answer.response.status == "cancelled"


async def test_all_answers_can_be_cancelled_at_once() -> None:
    rules = Rules(on_new_input="parallel")
    async with house("porch", rules=rules) as there, Lookout(there.url) as lookout:
        there.cameras["porch"].pause()
        answers = [lookout.ask("porch", f"Question {n}?") for n in range(2)]

        async def listen(n: int) -> str:
            return "".join([delta async for delta in answers[n]])

        async with asyncio.TaskGroup() as tasks:
            heard = [tasks.create_task(listen(n)) for n in range(2)]
            await eventually(lambda: there.cameras["porch"].running == 2)
            await lookout.cancel()
        assert [one.result() for one in heard] == ["a ", "a "]


@pytest.mark.parametrize(
    ("camera", "question", "error"),
    [("cellar", "What?", CameraNotFound), ("porch", "x" * 20_000, QuestionTooLong)],
)
async def test_a_refused_question_raises_the_servers_error_and_the_connection_lives(
    camera: str, question: str, error: type[LookoutError]
) -> None:
    async with house("porch") as there, Lookout(there.url) as lookout:
        with pytest.raises(error):
            async for _ in lookout.ask(camera, question):
                pass
        assert "".join([d async for d in lookout.ask("porch", "And now?")]) == "a red circle"


async def test_a_failed_answer_raises_and_is_not_returned_as_text() -> None:
    async with house("porch") as there, Lookout(there.url) as lookout:
        there.cameras["porch"].fails = "out of memory"
        with pytest.raises(LookoutError, match="out of memory"):
            async for _ in lookout.ask("porch", "What?"):
                pass


async def test_events_are_an_iterator_of_everything_that_happens() -> None:
    async with house("porch") as there, Lookout(there.url) as lookout:
        events = lookout.events
        await lookout.send(StatsSubscribe(interval_ms=100))
        async for event in events:
            if event.type == "lookout.stats":
                break
        there.cameras.tell(there.cameras["porch"].change(state="stalled"))
        async for event in events:
            if isinstance(event, CameraState) and event.state == "stalled":
                break


async def test_a_client_can_be_a_camera() -> None:
    _, jpeg = cv2.imencode(".jpg", np.zeros((32, 32, 3), np.uint8))
    async with house("porch") as there, Lookout(there.url) as lookout:
        events = lookout.events
        await lookout.push("mine", bytes(jpeg))
        await eventually(lambda: "mine" in there.cameras.names() and there.cameras["mine"].pushed)
        await lookout.push("porch", bytes(jpeg))
        async for event in events:
            if isinstance(event, Error):
                assert event.error.code == CameraExists.code
                break


async def test_a_server_that_goes_ends_answers_and_events_and_refuses_more_as_lost() -> None:
    heard: list[str] = []
    async with house("porch") as there:
        there.cameras["porch"].pause()
        lookout = await Lookout(there.url).__aenter__()
        answer = lookout.ask("porch", "What?")
        heard.append(await anext(answer))
        events = lookout.events
    with pytest.raises(ConnectionLost):
        async for words in lookout.ask("porch", "Anybody?"):
            heard.append(words)
    told = [event.type async for event in events]
    assert "lookout.session.going_away" in told
    assert told[-1] == "response.done"
    async for words in answer:  # it was cancelled by the going server, not lost
        heard.append(words)
    assert answer.response is not None
    assert answer.response.status == "cancelled"
    await lookout.close()
    await lookout.close()


async def test_nobody_there_is_said_with_the_remedy() -> None:
    with pytest.raises(ConnectionLost, match="lookout serve"):
        async with Lookout("ws://127.0.0.1:1"):
            pass


async def test_a_missing_or_wrong_key_is_unauthorized_and_a_good_one_works() -> None:
    key = new_key()
    keys = [{"name": "me", "sha256": hash_key(key)}]
    async with house("porch", api_keys=keys) as there:
        for wrong in (None, new_key()):
            with pytest.raises(Unauthorized):
                async with Lookout(there.url, key=wrong):
                    pass
        async with Lookout(there.url, key=key) as lookout:
            assert [camera.name for camera in await lookout.cameras()] == ["porch"]


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("ws://h:1", "ws://h:1/v1/realtime"),
        ("http://h:1/", "ws://h:1/v1/realtime"),
        ("https://h", "wss://h/v1/realtime"),
        ("h:8080", "ws://h:8080/v1/realtime"),
        ("wss://h/v1/realtime", "wss://h/v1/realtime"),
        ("https://h/behind/proxy", "wss://h/behind/proxy/v1/realtime"),
    ],
)
def test_any_address_of_a_server_will_do(given: str, meant: str) -> None:
    assert websocket_url(given) == meant


@pytest.mark.parametrize("url", ["http://me:Zx9Qq7@h:99999", "h:port", "ws://me:Zx9Qq7@[::1"])
def test_an_address_that_cannot_be_read_is_refused_in_words_without_its_password(url: str) -> None:
    with pytest.raises(ConfigError, match="HOST:PORT") as refused:
        Lookout(url)
    assert "Zx9Qq7" not in str(refused.value)


def test_the_client_needs_no_torch_and_no_server_code() -> None:
    code = (
        "import sys, client\n"
        "heavy = {'torch', 'transformers', 'numpy', 'cv2', 'av', 'fastapi', 'stream', 'engine'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


@pytest.mark.parametrize("url", ["ws://me:Zx9Qq7@127.0.0.1:9", "gopher://me:Zx9Qq7@127.0.0.1:9"])
async def test_an_address_that_does_not_answer_is_named_without_its_password(url: str) -> None:
    with pytest.raises(ConnectionLost, match=r"127\.0\.0\.1:9") as lost:
        async with Lookout(url):
            pass
    assert "Zx9Qq7" not in str(lost.value)
