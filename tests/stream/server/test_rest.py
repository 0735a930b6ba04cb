"""Cameras, health, numbers and the page over plain HTTP."""

from __future__ import annotations

import hashlib

import cv2
import httpx
import numpy as np
from prometheus_client.parser import text_string_to_metric_families

from stream.sources import Sources
from stream.sources.hardware import Hardware, Processor
from tests.fakes.house import client, house
from worlds.catalog import open_world


async def test_cameras_are_listed_added_and_removed() -> None:
    async with house("porch") as there, httpx.AsyncClient(base_url=there.url) as web:
        listed = (await web.get("/api/cameras")).json()["cameras"]
        assert [camera["name"] for camera in listed] == ["porch"]
        assert listed[0]["memory_capacity"] == 512
        async with client(there) as me:
            added = await web.post("/api/cameras", json={"name": "toy", "url": "demo:shapes"})
            assert (added.status_code, added.json()["url"]) == (201, "demo:shapes")
            assert added.json()["has_truth"] is True
            await me.until("lookout.camera.state", camera="toy")
            assert (await web.delete("/api/cameras/toy")).status_code == 204
            await me.until("lookout.camera.detached", camera="toy")
        assert (await web.get("/api/cameras/toy")).status_code == 404
        assert (await web.delete("/api/cameras/toy")).status_code == 404


async def test_what_clients_add_is_decoded_where_the_house_decodes() -> None:
    made: list[Hardware] = []

    def make() -> Hardware:
        made.append(Processor())
        return made[-1]

    sources = Sources(hardware=make)
    async with house(sources=sources) as there, httpx.AsyncClient(base_url=there.url) as web:
        added = await web.post("/api/cameras", json={"name": "toy", "url": "demo:shapes"})
        assert added.status_code == 201
    assert made


async def test_the_list_says_how_much_of_the_engine_the_cameras_need_together() -> None:
    async with house("porch", "yard") as there, httpx.AsyncClient(base_url=there.url) as web:
        assert (await web.get("/api/cameras")).json()["load"] is None, "nothing is known yet"
        there.cameras["porch"].change(load=0.25)
        there.cameras["yard"].change(load=0.5)
        listed = (await web.get("/api/cameras")).json()
        assert listed["load"] == 0.75
        assert [camera["load"] for camera in listed["cameras"]] == [0.25, 0.5]


async def test_a_camera_that_cannot_be_added_says_why() -> None:
    async with house("porch", limit=1) as there, httpx.AsyncClient(base_url=there.url) as web:
        for body, status, code in (
            ({"name": "porch", "url": "demo:shapes"}, 409, "camera_exists"),
            ({"name": "other", "url": "demo:shapes"}, 503, "capacity_exceeded"),
            ({"name": "other", "url": "file:/etc/passwd"}, 403, "forbidden"),
            ({"name": "other", "url": "rtsp://h/?transport=pigeon"}, 400, "invalid_configuration"),
            ({"name": "../x", "url": "demo:shapes"}, 422, "invalid_request"),
            ({"name": "x"}, 422, "invalid_request"),
        ):
            reply = await web.post("/api/cameras", json=body)
            assert (reply.status_code, reply.json()["error"]["code"]) == (status, code), body


async def test_credentials_of_a_camera_are_never_shown() -> None:
    async with house() as there, httpx.AsyncClient(base_url=there.url) as web:
        secret = "rtsp://admin:p@ss:word@192.168.1.9/stream?token=hidden"
        reply = await web.post("/api/cameras", json={"name": "gate", "url": secret})
        assert reply.status_code == 201
        shown = reply.text + (await web.get("/api/cameras")).text + (await web.get("/metrics")).text
        for part in ("p@ss", "word", "admin", "hidden"):
            assert part not in shown
        bad = await web.post("/api/cameras", json={"name": "gate", "url": secret})
        assert "p@ss" not in bad.text


async def test_only_an_admin_may_save_a_memory_and_an_unsaved_one_is_refused() -> None:
    user, admin = "user-key-0123456789", "admin-key-0123456789"
    keys = [
        {"name": role, "sha256": hashlib.sha256(key.encode()).hexdigest(), "role": role}
        for role, key in (("user", user), ("admin", admin))
    ]
    async with house("porch", api_keys=keys, host="127.0.0.1") as there:
        for key, camera, status, code in (
            (user, "porch", 403, "forbidden"),
            (admin, "porch", 400, "unsupported"),
            (admin, "nowhere", 404, "camera_not_found"),
        ):
            headers = {"authorization": f"Bearer {key}"}
            async with httpx.AsyncClient(base_url=there.url, headers=headers) as web:
                reply = await web.post(f"/api/cameras/{camera}/memory/save")
                assert (reply.status_code, reply.json()["error"]["code"]) == (status, code)


async def test_the_newest_frame_comes_as_a_jpeg_and_its_absence_is_said() -> None:
    async with house("porch") as there, httpx.AsyncClient(base_url=there.url) as web:
        path = "/api/cameras/porch/snapshot.jpg"
        missing = await web.get(path)
        assert (missing.status_code, missing.json()["error"]["code"]) == (503, "camera_blind")
        pixels = np.zeros((40, 60, 3), np.uint8)
        pixels[..., 0] = 220
        there.cameras["porch"].see(pixels)
        reply = await web.get(path)
        assert reply.headers["content-type"] == "image/jpeg"
        assert reply.headers["cache-control"] == "no-store"
        assert reply.headers["x-lookout-pts-ms"] == "4000"
        shown = cv2.imdecode(np.frombuffer(reply.content, np.uint8), cv2.IMREAD_COLOR_RGB)
        assert shown.shape == (40, 60, 3)
        assert np.abs(shown.reshape(-1, 3).mean(0) - [220, 0, 0]).max() < 8


async def test_the_truth_of_a_rendered_scene_is_told_and_of_a_real_one_not() -> None:
    async with house("porch") as there, httpx.AsyncClient(base_url=there.url) as web:
        assert (await web.get("/api/cameras/porch/truth")).status_code == 404
        truth = open_world("desk", 3).truth(75.0)
        there.cameras["porch"].truths = truth
        told = (await web.get("/api/cameras/porch/truth")).json()
        assert told == truth
        assert {"name", "state", "place", "moving", "covered"} <= set(told["objects"][0])
        assert {"t", "event", "name", "detail"} <= set(told["events"][0])


async def test_metrics_are_valid_and_know_cameras_and_answers() -> None:
    async with house("porch") as there, httpx.AsyncClient(base_url=there.url) as web:
        async with client(there) as me:
            await me.ask("What?")
            await me.done()
            text = (await web.get("/metrics")).text
        families = {f.name: f for f in text_string_to_metric_families(text)}
        live = families["lookout_camera_live"].samples[0]
        assert (live.labels, live.value) == ({"camera": "porch"}, 1.0)
        assert families["lookout_lag_seconds"].samples[0].value == 0.012
        ends = {
            s.labels["end"]: s.value
            for s in families["lookout_answers"].samples
            if "end" in s.labels
        }
        assert ends["stop"] == 1
        assert families["lookout_conversations"].samples[0].value == 1
        count = families["lookout_time_to_first_token_seconds"].samples
        assert [s.value for s in count if s.name.endswith("_count")] == [1]


async def test_health_and_readiness() -> None:
    async with house() as there, httpx.AsyncClient(base_url=there.url) as web:
        assert (await web.get("/healthz")).json() == {"status": "ok"}
        ready = await web.get("/readyz")
        assert ready.status_code == 200
        assert ready.json()["model"]["name"] == "fake"


async def test_the_page_is_served_with_a_strict_policy_and_nothing_beside_it() -> None:
    async with house() as there, httpx.AsyncClient(base_url=there.url) as web:
        page = await web.get("/")
        assert page.status_code == 200
        assert "text/html" in page.headers["content-type"]
        assert "default-src 'self'" in page.headers["content-security-policy"]
        assert page.headers["x-content-type-options"] == "nosniff"
        for path in ("/../pyproject.toml", "/%2e%2e/client.py", "/nothing.html"):
            assert (await web.get(path)).status_code == 404


async def test_the_interface_is_described() -> None:
    async with house() as there, httpx.AsyncClient(base_url=there.url) as web:
        paths = (await web.get("/openapi.json")).json()["paths"]
        assert {"/api/cameras", "/whip/{camera}", "/readyz"} <= set(paths)
        docs = await web.get("/docs")
        assert docs.status_code == 200
        for path in paths:
            assert path in docs.text
