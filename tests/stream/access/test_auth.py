"""Who may come in and what they may do, over real HTTP and websockets."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus

from core.errors import ConfigError, Forbidden, TokenExpired
from stream.access.auth import Doorman, Identity, Tokens, environment_key, hash_key, new_key
from stream.access.targets import check_target
from tests.fakes.house import Client, House, client, house

ADMIN, USER = new_key(), new_key()
KEYS = [
    {"name": "boss", "sha256": hash_key(ADMIN), "role": "admin"},
    {"name": "guest", "sha256": hash_key(USER), "role": "user"},
]
DEMO = {"name": "extra", "url": "demo:shapes"}


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


async def close_code(there: House, **options: object) -> tuple[int, str]:
    """The code a refused websocket closes with, and the error it is told."""
    async with client(there, **options) as me:  # type: ignore[arg-type]
        error = await me.error()
        with pytest.raises(ConnectionClosed) as closed:
            await me.receive()
        assert closed.value.rcvd is not None
        return closed.value.rcvd.code, error["code"]


async def greeted(me: Client) -> bool:
    return (await me.receive())["type"] == "session.created"


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "lookout.example", "127.example"])
def test_listening_beyond_loopback_needs_a_key_or_to_be_told(host: str) -> None:
    with pytest.raises(ConfigError, match="LOOKOUT_API_KEY"):
        Doorman(host, [])
    assert Doorman(host, [], allow_anyone=True).identify({}) == Identity("anonymous", "user")
    key = environment_key({"LOOKOUT_API_KEY": ADMIN})
    assert key is not None
    assert Doorman(host, [key]).identify({"authorization": f"Bearer {ADMIN}"}).role == "admin"


def test_loopback_without_keys_is_an_admin() -> None:
    assert Doorman("127.0.0.1", []).identify({}) == Identity("anonymous", "admin")


def test_a_short_key_in_the_environment_is_refused() -> None:
    with pytest.raises(ConfigError, match="at least 20"):
        environment_key({"LOOKOUT_API_KEY": "secret"})


def test_tokens_expire_and_the_oldest_gives_way() -> None:
    now = 0.0
    tokens = Tokens(limit=2, clock=lambda: now)
    somebody = Identity("a", "user")
    first, second = (tokens.issue(somebody, 10, may_delegate=True) for _ in range(2))
    assert tokens.find(first) == somebody
    tokens.issue(Identity("b", "user"), 10, may_delegate=True)
    assert tokens.find(first) is None
    now = 10.0
    with pytest.raises(TokenExpired):
        tokens.find(second)


def test_nobody_is_logged_out_by_another_who_asks_for_many_tokens() -> None:
    tokens = Tokens(limit=2)
    boss = tokens.issue(Identity("boss", "admin"), 60, may_delegate=True)
    for _ in range(3):
        newest = tokens.issue(Identity("guest", "user"), 60, may_delegate=False)
    assert tokens.find(boss) is not None
    assert tokens.find(newest) is not None


async def test_without_a_key_nothing_but_page_and_health_is_open() -> None:
    async with house("porch", api_keys=KEYS) as there, httpx.AsyncClient(base_url=there.url) as web:
        for path in (
            "/api/cameras",
            "/api/cameras/porch/snapshot.jpg",
            "/metrics",
            "/openapi.json",
        ):
            refused = await web.get(path)
            assert refused.status_code == 401, path
            assert refused.json()["error"]["code"] == "unauthorized"
            assert (await web.get(path, headers=bearer("wrong" * 8))).status_code == 401
        for path in ("/", "/healthz", "/readyz"):
            assert (await web.get(path)).status_code == 200, path
        assert (await web.post("/v1/realtime/client_secrets")).status_code == 401
        assert (await web.post("/whip/x", content="v=0")).status_code == 401


async def test_a_websocket_without_a_good_key_is_closed_with_1008() -> None:
    async with house("porch", api_keys=KEYS) as there:
        assert await close_code(there) == (1008, "unauthorized")
        assert await close_code(there, headers=bearer("wrong" * 8)) == (1008, "unauthorized")
        async with client(there, headers=bearer(USER)) as me:
            assert await greeted(me)


async def test_a_browser_comes_in_with_a_token_in_the_subprotocol() -> None:
    async with house("porch", api_keys=KEYS) as there, httpx.AsyncClient(base_url=there.url) as web:
        secret = (await web.post("/v1/realtime/client_secrets", headers=bearer(USER))).json()
        offered = ["realtime", f"lookout.token.{secret['value']}"]
        async with client(there, subprotocols=offered) as me:
            assert await greeted(me)
            assert me.socket.subprotocol == "realtime"
        wrong = ["realtime", "lookout.token.lt_wrong"]
        assert await close_code(there, subprotocols=wrong) == (1008, "unauthorized")


async def test_a_short_lived_token_cannot_renew_itself() -> None:
    async with house("porch", api_keys=KEYS) as there, httpx.AsyncClient(base_url=there.url) as web:
        path = "/v1/realtime/client_secrets"
        secret = (await web.post(path, headers=bearer(ADMIN))).json()["value"]
        assert (await web.get("/api/cameras", headers=bearer(secret))).status_code == 200
        assert (await web.post(path, headers=bearer(secret))).status_code == 403


async def test_long_bodies_and_those_without_a_length_are_refused_before_login() -> None:
    async def chunked() -> AsyncIterator[bytes]:
        yield b"{}"

    async with house("porch", api_keys=KEYS) as there, httpx.AsyncClient(base_url=there.url) as web:
        assert (await web.post("/api/login", content=bytes(2**21))).status_code == 413
        assert (await web.post("/api/login", content=chunked())).status_code == 411


async def test_a_browser_comes_in_with_a_cookie_and_leaves_with_logout() -> None:
    async with house("porch", api_keys=KEYS) as there, httpx.AsyncClient(base_url=there.url) as web:
        assert (await web.post("/api/login", json={"key": "wrong" * 8})).status_code == 401
        reply = await web.post("/api/login", json={"key": USER})
        cookie = reply.headers["set-cookie"].lower()
        assert "httponly" in cookie
        assert "samesite=strict" in cookie
        assert (await web.get("/api/cameras")).status_code == 200
        header = {"Cookie": f"lookout={web.cookies['lookout']}"}
        async with client(there, headers=header) as me:
            assert await greeted(me)
        assert (await web.post("/api/logout")).status_code == 204
        assert await close_code(there, headers=header) == (1008, "unauthorized")


async def test_only_an_admin_adds_and_removes_cameras() -> None:
    async with house("porch", api_keys=KEYS) as there, httpx.AsyncClient(base_url=there.url) as web:
        for key, status in ((USER, 403), (ADMIN, 201)):
            reply = await web.post("/api/cameras", json=DEMO, headers=bearer(key))
            assert reply.status_code == status
        for key, status in ((USER, 403), (ADMIN, 204)):
            reply = await web.delete("/api/cameras/extra", headers=bearer(key))
            assert reply.status_code == status
        async with client(there, headers=bearer(USER)) as me:
            await me.send("lookout.camera.attach", camera="extra", url="demo:shapes")
            assert (await me.error())["code"] == "forbidden"


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ({"Host": "evil.example"}, "wrong_host"),
        ({"Host": "127.0.0.1.evil.example:80"}, "wrong_host"),
        ({"Host": ""}, "wrong_host"),
        ({"Origin": "https://evil.example"}, "wrong_origin"),
        ({"Origin": "null"}, "wrong_origin"),
        ({"Origin": "http://["}, "wrong_origin"),
        ({"Origin": "http://127.0.0.1:1"}, "wrong_origin"),
    ],
)
async def test_foreign_hosts_and_origins_are_refused(headers: dict[str, str], code: str) -> None:
    async with house("porch") as there:
        async with httpx.AsyncClient(base_url=there.url) as web:
            for path in ("/", "/api/cameras", "/healthz"):
                refused = await web.get(path, headers=headers)
                assert refused.status_code == 403
                assert refused.json()["error"]["code"] == code
        if "Origin" in headers:
            with pytest.raises(InvalidStatus) as status:
                async with client(there, headers=headers):
                    pass
            assert status.value.response.status_code == 403


async def test_our_own_page_and_configured_origins_may_connect() -> None:
    friend = "https://panel.example"
    async with house("porch", allowed_origins=[friend]) as there:
        for origin in (there.url, friend):
            async with client(there, headers={"Origin": origin}) as me:
                assert await greeted(me)
        async with httpx.AsyncClient(base_url=there.url) as web:
            named = await web.get("/api/cameras", headers={"Host": "panel.example"})
            assert named.status_code == 200


@pytest.mark.parametrize(
    "url",
    [
        "file:/etc/passwd",
        "/etc/passwd",
        "../secret.mp4",
        "usb:0",
        "gopher://host/",
        "rtsp://127.0.0.1/",
        "http://localhost:8080/api/cameras",
        "http://169.254.169.254/latest/meta-data",
        "rtsp://10.1.2.3/stream",
        "rtsp://[::1]/",
        "rtsp://[::ffff:127.0.0.1]/",
        "rtsp://[fe80::1]/",
        "rtsp://[64:ff9b::7f00:1]/",
        "rtsp://[2002:7f00:1::1]/",
        "rtsp://224.0.0.1/",
        "http://2130706433/",
        "http://8.8.8.8/\r\nHost: inside",
        "rtsp:///nohost",
    ],
)
async def test_a_server_for_others_opens_nothing_private_for_them(url: str) -> None:
    with pytest.raises(Forbidden):
        await check_target(url, [], loopback_only=False)


@pytest.mark.parametrize("allowed", ["10.0.0.0/8", "10.1.2.3"])
async def test_an_allow_list_opens_private_targets(allowed: str) -> None:
    await check_target("rtsp://user:p@ss@10.1.2.3/stream", [allowed], loopback_only=False)
    with pytest.raises(Forbidden):
        await check_target("rtsp://192.168.1.1/stream", [allowed], loopback_only=False)


async def test_on_loopback_private_cameras_are_fine_but_files_are_not() -> None:
    await check_target("rtsp://192.168.1.1/stream", [], loopback_only=True)
    with pytest.raises(Forbidden, match="--source"):
        await check_target("file:/etc/passwd", [], loopback_only=True)
