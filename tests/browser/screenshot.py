"""Takes the README's picture of the page: a real server, its demo camera, real answers.

Run as `python -m tests.browser.screenshot docs/screenshot.png`; further arguments go to
`lookout serve`.
"""

from __future__ import annotations

import asyncio
import shutil
import sys
from pathlib import Path

from playwright.async_api import Page, ViewportSize, async_playwright, expect

from tests.browser.steps import connected, live
from tests.process import lookout

SIZE = ViewportSize(width=1280, height=900)
QUESTIONS = ("How many objects are there?", "What appeared last?", "Which way is the")
OBJECTS = 3  # in view: more is to be seen


async def main(file: Path, *options: str) -> None:
    """Starts everything, asks, and takes the picture."""
    chromium = shutil.which("chromium")
    async with (
        lookout("--source", "demo=demo:shapes", *options) as server,
        async_playwright() as playwright,
    ):
        browser = await playwright.chromium.launch(
            executable_path=chromium, args=["--no-sandbox", "--disable-gpu"]
        )
        page = await browser.new_page(base_url=server.url, viewport=SIZE, color_scheme="light")
        await page.goto(server.url)
        await connected(page)
        await live(page)
        await page.wait_for_timeout(45_000)  # so that the strip has something to show
        for number, question in enumerate(QUESTIONS):
            await page.wait_for_timeout(3_000)
            await _until_lively(page)
            await _ask(page, question, number)
        await page.wait_for_timeout(1_500)
        await page.screenshot(path=file)
        await browser.close()


async def _until_lively(page: Page) -> None:
    while True:
        response = await page.request.get("/api/cameras/demo/truth")
        if len((await response.json())["objects"]) >= OBJECTS:
            return
        await page.wait_for_timeout(200)


async def _ask(page: Page, question: str, number: int) -> None:
    await page.get_by_test_id("chips").get_by_role("button", name=question).click()
    turn = page.get_by_test_id("turn").nth(number)
    await expect(turn.get_by_test_id("facts")).to_contain_text("first token")


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), *sys.argv[2:]))
