"""Notes in a whole house on the embedded model, and on the timeline."""

from __future__ import annotations

from datetime import datetime, timedelta

import httpx
import pytest
from pydantic import ValidationError

from core.errors import ConfigError
from engine.requests import Noted
from models.loading import load_model
from stream.cameras.notebook import MOST, Notebook
from stream.compose import engine_for, open_house
from stream.configuration import load_settings
from stream.settings import Settings
from tests.fakes.house import house
from tests.waiting import eventually

NOTES = {"enabled": True, "every_segments": 2, "question": "How many objects are there?"}


def settings(**notes: object) -> Settings:
    return load_settings(
        overrides={
            "cameras": {"toys": {"url": "demo:shapes"}},
            "memory": {"notes": {**NOTES, **notes}},
            "segment": {"max_steps": 1},
        }
    )


async def test_the_demo_camera_is_written_about_and_says_what_and_when():
    async with open_house(settings()) as there:
        camera = there.cameras.get("toys")
        await eventually(lambda: len(camera.notes()) >= 2, within_s=90)
        first, second = camera.notes()[:2]
        assert first.text
        assert first.t_start <= first.t_end < second.t_start <= second.t_end
        view = camera.view()
        assert view.newest_pts is not None
        assert second.t_end <= view.newest_pts
        assert view.memory_held <= view.memory_capacity
        assert there.engine.counters["notes_written"] >= 2


async def test_without_being_asked_to_nobody_writes():
    assert Settings().memory.notes.enabled is False
    assert Settings().memory.notes.noting() is None
    engine = engine_for(load_model("embedded"), Settings())
    assert engine.limits.noting == engine.limits.note_tokens == 0


def test_the_share_of_the_capacity_is_set_aside_and_paid_for_within_it():
    model = load_model("embedded")
    with_notes = engine_for(model, load_settings(overrides={"memory": {"notes": NOTES}}))
    assert with_notes.limits.noting == 128
    assert with_notes.limits.capacity == Settings().memory.capacity
    wanted = load_settings(overrides={"memory": {"notes": {**NOTES, "share": 0.01}}})
    with pytest.raises(ConfigError, match="hold no note"):
        engine_for(model, wanted)


def test_notes_and_a_selector_exclude_each_other():
    with pytest.raises(ValidationError, match="read no memory"):
        Settings.model_validate(
            {"memory": {"notes": {"enabled": True}}, "answer": {"selector": {"method": "even"}}}
        )


@pytest.mark.parametrize(
    "wrong", [{"share": 0.6}, {"share": 0}, {"every_segments": 0}, {"question": " "}]
)
def test_settings_that_make_no_notes_are_refused(wrong):
    with pytest.raises(ValidationError):
        Settings.model_validate({"memory": {"notes": wrong}})


async def test_the_timeline_holds_the_notes_of_all_cameras_in_order():
    async with house("porch", "yard") as there, httpx.AsyncClient(base_url=there.url) as web:
        porch, yard = (there.cameras.get(name) for name in ("porch", "yard"))
        porch.noted = (Noted(0.5, 1.5, "A red ball appeared."), Noted(2.0, 3.0, "It left."))
        yard.noted = (Noted(1.0, 2.5, "A dog came."),)
        events = (await web.get("/api/events")).json()["events"]
        assert [event["text"] for event in events] == [
            "A red ball appeared.", "A dog came.", "It left."
        ]  # fmt: skip
        first = events[0]
        assert (first["kind"], first["camera"]) == ("note", "porch")
        assert (first["t_start"], first["t_end"]) == (0.5, 1.5)
        assert (first["start"]["pts_ms"], first["end"]["pts_ms"]) == (500, 1500)
        times = [datetime.fromisoformat(event["end"]["at"]) for event in events]
        assert times == sorted(times)
        assert times[2] - times[0] == timedelta(seconds=1.5)

        async def texts(**query: str) -> list[str]:
            reply = await web.get("/api/events", params=query)
            assert reply.status_code == 200, reply.text
            return [event["text"] for event in reply.json()["events"]]

        assert await texts(camera="yard") == ["A dog came."]
        assert await texts(search="BALL") == ["A red ball appeared."]
        assert await texts(limit="1") == ["It left."]
        since = times[0] + timedelta(seconds=0.5)
        assert await texts(since=since.isoformat()) == ["A dog came.", "It left."]
        assert (await web.get("/api/events", params={"camera": "none"})).status_code == 404
        for wrong in ({"limit": "0"}, {"since": "yesterday"}, {"since": "2026-01-01T00:00:00"}):
            assert (await web.get("/api/events", params=wrong)).status_code == 422


async def test_whoever_has_no_key_reads_no_timeline():
    admin = "admin-key-0123456789"
    environment = {"LOOKOUT_API_KEY": admin}
    async with (
        house("porch", environment=environment) as there,
        httpx.AsyncClient(base_url=there.url) as web,
    ):
        there.cameras.get("porch").noted = (Noted(0.5, 1.5, "A red ball appeared."),)
        assert (await web.get("/api/events")).status_code == 401
        allowed = await web.get("/api/events", headers={"authorization": f"Bearer {admin}"})
        assert len(allowed.json()["events"]) == 1


def test_a_notebook_is_bounded_and_loses_the_oldest():
    book = Notebook()
    for i in range(MOST + 3):
        book.add(Noted(i, i + 1, str(i)))
    assert len(book.all()) == MOST
    assert book.all()[0].text == "3"
