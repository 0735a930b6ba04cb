"""A real browser with a fake camera; what the browser complains about fails the test."""

from __future__ import annotations

import os
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import cv2
import pytest
from playwright.async_api import Browser, BrowserContext, Page, async_playwright

from worlds.catalog import open_world

FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--use-fake-device-for-media-stream",
    "--allow-loopback-in-peer-connection",
)
ALLOW_CAMERA = "--use-fake-ui-for-media-stream"
DENY_CAMERA = "--deny-permission-prompts"
WAIT_MS = 20_000  # generous: the machine may be busy

OpenPage = Callable[..., Awaitable[Page]]


@pytest.fixture(scope="session")
def chromium() -> str:
    """The path of the browser; absent, the tests are skipped, but never under CI."""
    path = shutil.which("chromium") or shutil.which("chromium-browser")
    if path is None:
        if os.environ.get("CI"):
            pytest.fail("chromium is missing: apt-get install chromium")
        pytest.skip("chromium is missing: apt-get install chromium")
    return path


@pytest.fixture(scope="session")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the fake camera films: five seconds of a demo world, again and again."""
    world = open_world("shapes", seed=7)
    path = tmp_path_factory.mktemp("film") / "webcam.mjpeg"
    with path.open("wb") as file:
        for number in range(75):
            picture = world.frame(30 + number / 15, (480, 640))
            file.write(cv2.imencode(".jpg", picture[:, :, ::-1])[1].tobytes())
    return path


@pytest.fixture
async def open_page(chromium: str, film: Path) -> AsyncIterator[OpenPage]:
    """Opens pages in browsers of their own; closes all, then says what they complained about."""
    complaints: list[str] = []
    async with AsyncExitStack() as stack:
        playwright = await stack.enter_async_context(async_playwright())

        async def open_page(
            url: str,
            *,
            flags: tuple[str, ...] = (ALLOW_CAMERA,),
            may_complain: bool = False,
            prepare: Callable[[BrowserContext], Awaitable[None]] | None = None,
            **options: object,
        ) -> Page:
            browser = await playwright.chromium.launch(
                executable_path=chromium,
                args=[*FLAGS, *flags, f"--use-file-for-fake-video-capture={film}"],
            )
            context = await stack.enter_async_context(_context(browser, **options))
            if prepare:
                await prepare(context)
            page = await context.new_page()
            page.set_default_timeout(WAIT_MS)
            page.on("pageerror", lambda error: complaints.append(f"uncaught: {error}"))
            if not may_complain:
                page.on("console", lambda line: _note(complaints, line.type, line.text))
            await page.goto(url)
            return page

        yield open_page
    assert not complaints


@asynccontextmanager
async def _context(browser: Browser, **options: object) -> AsyncIterator[BrowserContext]:
    try:
        context = await browser.new_context(**options)  # type: ignore[arg-type]
        yield context
        await context.close()
    finally:
        await browser.close()


def _note(complaints: list[str], kind: str, text: str) -> None:
    if kind in ("error", "warning"):
        complaints.append(f"{kind}: {text}")
