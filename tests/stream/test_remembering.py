"""A whole house on the embedded model that is shut down and opened again: it remembers."""

from __future__ import annotations

import json
from pathlib import Path

import httpx
import pytest

from core.errors import ConfigError
from core.events import ModelInfo
from stream.cameras.answer import Question
from stream.compose import House, open_house
from stream.configuration import load_settings
from stream.conversations.rules import Rules
from stream.server.server import Server, bind, doorman_of
from stream.settings import Settings
from tests.waiting import eventually


def settings(folder: Path, **changed: object) -> Settings:
    return load_settings(
        overrides={
            "cameras": {"toys": {"url": "demo:shapes"}},
            "memory": {"save": {"folder": str(folder / "memories")}, **changed},
            "server": {"port": 0},
            "segment": {"max_steps": 1},
        }
    )


async def ask(house: House) -> str:
    camera = house.cameras.get("toys")
    async with camera.ask(Question("How many objects are there?", max_tokens=8)) as answer:
        return "".join([delta async for delta in answer])


async def test_the_demo_camera_remembers_over_a_restart_of_the_server(tmp_path):
    first = settings(tmp_path)
    async with open_house(first) as house:
        camera = house.cameras.get("toys")
        await eventually(lambda: camera.view().frames_remembered >= 4, within_s=60)
        doorman = doorman_of(first.server, {})
        server = Server(house.cameras, ModelInfo(name="x"), first.server, Rules(), doorman)
        with bind("127.0.0.1", 0) as sock:
            async with server.listening(sock) as url, httpx.AsyncClient(base_url=url) as web:
                reply = await web.post("/api/cameras/toys/memory/save")
                assert reply.status_code == 200, reply.text
                told = reply.json()
                assert told["camera"] == "toys"
                assert told["tokens"] > 20
                assert told["bytes"] > 1000
        before = camera.view()
        with pytest.raises(ConfigError, match="another Lookout"):
            async with open_house(settings(tmp_path)):
                pytest.fail("two servers would write over each other's saves")
    async with open_house(settings(tmp_path)) as house:
        camera = house.cameras.get("toys")
        view = camera.view()
        assert view.restored.startswith("restored ")
        assert view.memory_seen >= before.memory_seen
        assert await ask(house)
        await eventually(lambda: camera.view().frames_remembered >= 2, within_s=60)
        now = camera.view()
        assert now.newest_pts > before.newest_pts
        assert now.memory_seen > before.memory_seen
        truth = camera.truth()
        assert truth is not None
        assert truth["t"] == pytest.approx(camera.latest().pts)
        assert all(event["t"] > before.newest_pts for event in truth["events"])
    async with open_house(settings(tmp_path, policy={"method": "recent_steps"})) as house:
        view = house.cameras.get("toys").view()
        assert view.restored.startswith("refused: memory.policy was SinkWindow")
        assert view.memory_seen < before.memory_seen


async def test_without_a_folder_nothing_is_kept(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    chosen = settings(tmp_path)
    chosen = chosen.model_copy(
        update={"memory": chosen.memory.model_copy(update={"save": type(chosen.memory.save)()})}
    )
    async with open_house(chosen) as house:
        camera = house.cameras.get("toys")
        await eventually(lambda: camera.view().frames_remembered >= 2, within_s=60)
        assert camera.view().restored == ""
    assert list(tmp_path.iterdir()) == []


def test_the_setting_is_described_and_off_by_default():
    shown = json.loads(load_settings().model_dump_json())["memory"]["save"]
    assert shown == {"folder": None, "every_s": 60}
