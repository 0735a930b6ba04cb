"""A real browser, a fake camera, and `lookout serve` as a process of its own."""

from __future__ import annotations

import re
import signal
from pathlib import Path

import pytest
from playwright.async_api import expect

from tests.browser.conftest import OpenPage
from tests.browser.steps import ask, connected, live, more_frames, start_webcam
from tests.process import lookout
from tests.tiny import save

pytestmark = pytest.mark.real
DEMO = ("--source", "demo=demo:shapes")
LONG_ANSWERS = ("-c", "answer.max_tokens=4000")  # so long that only a cancel ends them


@pytest.fixture(scope="module")
def talkative(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of random weights: it says nothing sensible, but goes on saying it."""
    return save(tmp_path_factory.mktemp("tiny"))


async def test_a_webcam_is_watched_while_it_is_asked_and_answers_can_be_cancelled(
    talkative: Path, open_page: OpenPage
) -> None:
    async with lookout("--model", str(talkative), *DEMO, *LONG_ANSWERS) as server:
        page = await connected(await open_page(server.url))
        await start_webcam(page)
        await more_frames(page, 4)

        await ask(page, "What do you see?")
        turn, answer = page.get_by_test_id("turn").first, page.get_by_test_id("answer").first
        await expect(answer).not_to_be_empty()
        said = await answer.inner_text()
        await more_frames(page, 4)
        await expect(turn).to_have_attribute("data-status", "answering")
        assert len(await answer.inner_text()) > len(said)

        await ask(page, "And now?")
        await expect(turn).to_have_attribute("data-status", "cancelled")
        await expect(turn.get_by_test_id("ending")).to_contain_text("the next question came first")
        await expect(turn.get_by_test_id("evidence")).to_contain_text("webcam-")
        await expect(turn.get_by_test_id("facts")).to_contain_text("first token")
        second = page.get_by_test_id("turn").nth(1)
        await expect(second.get_by_test_id("answer")).not_to_be_empty()
        await page.get_by_test_id("cancel").click()
        await expect(second).to_have_attribute("data-status", "cancelled")
        await more_frames(page, 4)

        await page.get_by_test_id("camera").select_option("demo")
        await expect(page.get_by_test_id("picture")).to_be_visible()
        await ask(page, "How many objects are there?")
        third = page.get_by_test_id("turn").nth(2)
        await expect(third.get_by_test_id("answer")).not_to_be_empty()
        await page.get_by_test_id("cancel").click()
        await expect(third).to_have_attribute("data-status", "cancelled")
        await expect(third.get_by_test_id("evidence")).to_contain_text("demo")

        await page.get_by_test_id("webcam").click()
        await expect(page.get_by_test_id("camera").locator("option")).to_have_text(["demo"])
        await page.close()


async def test_the_embedded_model_says_what_it_knows_and_answers_about_its_demo_camera(
    open_page: OpenPage,
) -> None:
    async with lookout(*DEMO) as server:
        page = await connected(await open_page(server.url))
        await live(page)
        await expect(page.get_by_test_id("model-note")).to_contain_text("knows only")
        await expect(page.get_by_test_id("model-note")).to_contain_text("--model Qwen/Qwen3-VL")
        await more_frames(page, 4)
        await ask(page, "How many objects are there?")
        await expect(page.get_by_test_id("turn")).to_have_attribute("data-status", "completed")
        await expect(page.get_by_test_id("answer")).to_have_text(
            re.compile(r"There (is one|are (none|two|three|four))\.")
        )
        await expect(page.get_by_test_id("evidence")).to_contain_text("demo")
        await page.get_by_test_id("footnote").locator("summary").click()
        await expect(page.get_by_test_id("footnote")).to_contain_text("in view")
        await page.close()


async def test_a_killed_server_is_told_and_the_webcam_comes_back_with_the_next_one(
    talkative: Path, open_page: OpenPage
) -> None:
    async with lookout("--model", str(talkative), *DEMO, *LONG_ANSWERS) as server:
        page = await connected(await open_page(server.url, may_complain=True))
        await start_webcam(page)
        await more_frames(page, 2)
        await ask(page, "What do you see?")
        await expect(page.get_by_test_id("answer")).not_to_be_empty()

        await server.end(signal.SIGKILL)
        await expect(page.get_by_test_id("connection")).to_contain_text("Server away")
        await expect(page.get_by_test_id("turn")).to_have_attribute("data-status", "failed")
        await expect(page.get_by_test_id("ending")).to_contain_text("connection to the server was")
        await expect(page.get_by_test_id("send")).to_be_disabled()

        await server.start()
        await connected(page)
        await expect(page.get_by_test_id("webcam")).to_have_attribute("data-transport", "webrtc")
        await live(page)
        await more_frames(page, 4)
        await ask(page, "And now?")
        await expect(page.get_by_test_id("answer").nth(1)).not_to_be_empty()
        assert await server.end(signal.SIGTERM) == 0  # though a page is looking
