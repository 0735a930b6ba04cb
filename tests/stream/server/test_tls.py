"""With a certificate the same port speaks https and wss, and cookies are marked secure."""

from __future__ import annotations

import ssl
from pathlib import Path

import httpx
import pytest
from websockets.asyncio.client import connect

from core.errors import ConfigError
from stream.access.auth import hash_key, new_key
from tests.certificates import certificate
from tests.fakes.house import Client, house


async def test_page_and_websocket_come_over_tls(tmp_path: Path) -> None:
    pem, secret = certificate(tmp_path, days=10)
    key = new_key()
    keys = [{"name": "me", "sha256": hash_key(key)}]
    trust = ssl.create_default_context(cafile=pem)
    async with house("porch", tls_certificate=pem, tls_key=secret, api_keys=keys) as there:
        assert there.url.startswith("https://127.0.0.1:")
        async with httpx.AsyncClient(base_url=there.url, verify=trust) as web:
            assert (await web.get("/")).status_code == 200
            reply = await web.post("/api/login", json={"key": key})
            assert "secure" in reply.headers["set-cookie"].lower()
        headers = {"Authorization": f"Bearer {key}"}
        async with connect(there.websocket, ssl=trust, additional_headers=headers) as socket:
            me = Client(socket)
            await me.ask("What?")
            assert (await me.done())["status"] == "completed"


async def test_a_key_that_does_not_belong_to_the_certificate_is_a_configuration_error(
    tmp_path: Path,
) -> None:
    pem, _ = certificate(tmp_path, days=10)
    (tmp_path / "other").mkdir()
    _, secret = certificate(tmp_path / "other", days=10)
    with pytest.RaisesGroup(pytest.RaisesExc(ConfigError, match="tls")):
        async with house("porch", tls_certificate=pem, tls_key=secret):
            pass
