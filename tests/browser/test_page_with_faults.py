"""The page against a server of a seam: faults and situations that are hard to force otherwise."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator

import pytest
from playwright.async_api import BrowserContext, Page, Route, expect

from tests.browser.conftest import ALLOW_CAMERA, DENY_CAMERA, WAIT_MS, OpenPage
from tests.browser.fake_server import FakeServer

pytestmark = pytest.mark.real
expect.set_options(timeout=WAIT_MS)


@pytest.fixture
async def server() -> AsyncIterator[FakeServer]:
    async with FakeServer() as running:
        yield running


async def connected(page: Page) -> Page:
    await expect(page.get_by_test_id("connection")).to_have_text("Connected")
    return page


async def counted(page: Page) -> int:
    text = await page.get_by_test_id("frames-in").inner_text()
    return int(text.replace(",", "")) if text[0].isdigit() else 0


async def ask(page: Page, question: str) -> None:
    await page.get_by_test_id("question").fill(question)
    await page.get_by_test_id("question").press("Enter")


async def without_candidates(route: Route) -> None:
    """Passes offer and answer on, but neither side learns where the other is."""
    if route.request.method != "POST":
        await route.continue_()
        return
    response = await route.fetch(post_data=strip_candidates(route.request.post_data or ""))
    await route.fulfill(response=response, body=strip_candidates(await response.text()))


def strip_candidates(sdp: str) -> str:
    lines = sdp.splitlines(keepends=True)
    return "".join(line for line in lines if not line.startswith("a=candidate"))


async def test_an_answer_arrives_word_by_word_while_frames_keep_entering(
    server: FakeServer, open_page: OpenPage
) -> None:
    page = await connected(await open_page(server.url))
    await ask(page, "What do you see?")
    answer = page.get_by_test_id("answer")
    await expect(answer).to_contain_text("A small red")
    assert "still" not in await answer.inner_text()
    before = await counted(page)
    await expect(answer).to_contain_text("stands still .")
    await page.wait_for_function(
        "n => +document.querySelector('[data-testid=frames-in]').textContent > n", arg=before + 4
    )
    turn = page.get_by_test_id("turn")
    await expect(turn).to_have_attribute("data-status", "completed")
    await expect(turn.get_by_test_id("evidence")).to_have_text("demo 0:12.0 to 0:20.5")
    await expect(turn.get_by_test_id("facts")).to_contain_text("first token 201 ms")
    await expect(page.get_by_test_id("announcer")).to_contain_text("Answer: A small red circle")


async def test_cancel_ends_the_answer_where_it_stands(
    server: FakeServer, open_page: OpenPage
) -> None:
    page = await connected(await open_page(server.url))
    await ask(page, "Tell me everything")
    await expect(page.get_by_test_id("answer")).to_contain_text("small")
    await page.get_by_test_id("cancel").click()
    turn = page.get_by_test_id("turn")
    await expect(turn).to_have_attribute("data-status", "cancelled")
    await expect(turn.get_by_test_id("ending")).to_have_text("cancelled")
    await expect(page.get_by_test_id("cancel")).to_be_hidden()
    await expect(page.get_by_test_id("answer")).not_to_contain_text("stands")


async def test_a_demo_camera_offers_questions_and_tells_what_is_really_there(
    server: FakeServer, open_page: OpenPage
) -> None:
    page = await connected(await open_page(server.url))
    await page.get_by_test_id("truth").locator("summary").click()
    await expect(page.get_by_test_id("truth")).to_contain_text("in view")
    await page.get_by_test_id("chips").get_by_role("button", name="What appeared last?").click()
    await expect(page.get_by_test_id("turn")).to_contain_text("What appeared last?")
    await expect(page.get_by_test_id("footnote")).to_contain_text("What was really there")


async def test_the_embedded_model_says_what_it_knows(
    server: FakeServer, open_page: OpenPage
) -> None:
    page = await connected(await open_page(server.url))
    await expect(page.get_by_test_id("model-note")).to_contain_text(
        "knows only the coloured shapes"
    )
    await expect(page.get_by_test_id("model-note")).to_contain_text("--model Qwen/Qwen3-VL")


async def test_markup_in_a_question_stays_text(server: FakeServer, open_page: OpenPage) -> None:
    page = await connected(await open_page(server.url))
    await ask(page, "<img src=x onerror=alert(1)>")
    await expect(page.get_by_test_id("turn")).to_contain_text("<img src=x onerror=alert(1)>")
    assert await page.get_by_test_id("turn").locator("img").count() == 0


async def test_a_blocked_webrtc_falls_back_to_stills_over_the_websocket(
    server: FakeServer, open_page: OpenPage
) -> None:
    async def block(context: BrowserContext) -> None:
        await context.route("**/whip/**", lambda route: route.abort())

    page = await connected(await open_page(server.url, may_complain=True, prepare=block))
    await page.get_by_test_id("webcam").click()
    await expect(page.get_by_test_id("webcam")).to_have_attribute("data-transport", "jpeg")
    await expect(page.get_by_test_id("webcam-notice")).to_contain_text("over the websocket instead")
    await expect(page.get_by_test_id("camera-state")).to_have_text("live")
    before = await counted(page)
    await page.wait_for_function(
        "n => +document.querySelector('[data-testid=frames-in]').textContent > n", arg=before + 4
    )
    assert server.jpegs > 4


async def test_webrtc_that_finds_no_path_falls_back_after_five_seconds(
    server: FakeServer, open_page: OpenPage
) -> None:
    async def deafen(context: BrowserContext) -> None:
        await context.route("**/whip/**", without_candidates)

    page = await connected(await open_page(server.url, prepare=deafen))
    await page.get_by_test_id("webcam").click()
    await expect(page.get_by_test_id("webcam")).to_have_attribute("data-transport", "jpeg")
    await expect(page.get_by_test_id("webcam-notice")).to_contain_text("WebRTC did not connect")
    await expect(page.get_by_test_id("camera-state")).to_have_text("live")


async def test_a_refused_webcam_is_explained(server: FakeServer, open_page: OpenPage) -> None:
    page = await connected(await open_page(server.url, flags=(DENY_CAMERA,)))
    await page.get_by_test_id("webcam").click()
    await expect(page.get_by_test_id("webcam-notice")).to_contain_text("The camera was not allowed")
    await expect(page.get_by_test_id("webcam")).to_have_text("Use my webcam")


async def test_a_page_from_an_insecure_address_says_why_it_has_no_webcam(
    server: FakeServer, open_page: OpenPage
) -> None:
    name = socket.gethostname().lower()
    rule = f"--host-resolver-rules=MAP {name} 127.0.0.1"
    url = f"http://{name}:{server.port}/"
    page = await connected(await open_page(url, flags=(ALLOW_CAMERA, rule)))
    await page.get_by_test_id("webcam").click()
    await expect(page.get_by_test_id("webcam-notice")).to_contain_text("only over https")
    await expect(page.get_by_test_id("webcam-notice")).to_contain_text(url.rstrip("/"))


async def test_a_lost_server_is_told_and_found_again(open_page: OpenPage) -> None:
    async with FakeServer() as server:
        page = await connected(await open_page(server.url, may_complain=True))
        await ask(page, "What do you see?")
        await expect(page.get_by_test_id("answer")).to_contain_text("A small")
    await expect(page.get_by_test_id("connection")).to_contain_text("Server away, trying again in")
    await expect(page.get_by_test_id("turn")).to_have_attribute("data-status", "failed")
    await expect(page.get_by_test_id("ending")).to_contain_text("connection to the server was lost")
    await expect(page.get_by_test_id("send")).to_be_disabled()
    async with FakeServer(port=server.port):
        await connected(page)
        await expect(page.get_by_test_id("camera-state")).to_have_text("live")
        await expect(page.get_by_test_id("send")).to_be_enabled()


async def test_without_a_camera_the_page_says_how_to_get_one(
    server: FakeServer, open_page: OpenPage
) -> None:
    server.cameras.clear()
    page = await connected(await open_page(server.url))
    await expect(page.get_by_test_id("stage-empty")).to_contain_text("No camera yet")
    await expect(page.get_by_test_id("send")).to_be_disabled()


@pytest.mark.parametrize("width", [320, 360, 768, 1280])
async def test_nothing_needs_sideways_scrolling(
    server: FakeServer, open_page: OpenPage, width: int
) -> None:
    viewport = {"width": width, "height": 740}
    page = await connected(await open_page(server.url, viewport=viewport))
    await ask(page, "W" * 200)
    await expect(page.get_by_test_id("answer")).to_contain_text("small")
    wide = await page.evaluate("document.documentElement.scrollWidth")
    assert wide <= width


async def test_the_keyboard_alone_is_enough(server: FakeServer, open_page: OpenPage) -> None:
    page = await connected(await open_page(server.url))
    await expect(page.get_by_test_id("camera")).to_be_enabled()
    await page.keyboard.press("Tab")
    await page.keyboard.press("Enter")  # "Skip to the question"
    await page.keyboard.type("Where is the star?")
    await page.keyboard.press("Enter")
    await expect(page.get_by_test_id("answer")).to_contain_text("small")
    await page.keyboard.press("Escape")
    await expect(page.get_by_test_id("turn")).to_have_attribute("data-status", "cancelled")
