"""The page against the real server with scripted cameras, for faults that are hard to force."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator
from urllib.parse import urlsplit

import pytest
from playwright.async_api import BrowserContext, Route, expect

from core.errors import CameraBlind
from stream.access.auth import new_key
from tests.browser.conftest import ALLOW_CAMERA, DENY_CAMERA, OpenPage
from tests.browser.scene import scene
from tests.browser.steps import ask, connected, live, more_frames
from tests.fakes.house import House
from tests.waiting import eventually

pytestmark = pytest.mark.real


@pytest.fixture
async def server() -> AsyncIterator[House]:
    async with scene() as running:
        yield running


def port(server: House) -> int:
    found = urlsplit(server.url).port
    assert found is not None
    return found


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
    server: House, open_page: OpenPage
) -> None:
    page = await connected(await open_page(server.url))
    server.cameras["demo"].pause()
    await ask(page, "What do you see?")
    answer = page.get_by_test_id("answer")
    await expect(answer).to_have_text("A ")
    await expect(answer).to_have_attribute("aria-busy", "true")
    await more_frames(page, 4)
    server.cameras["demo"].resume()
    await expect(answer).to_have_text("A small red circle moves to the right and stops there . ")
    turn = page.get_by_test_id("turn")
    await expect(turn).to_have_attribute("data-status", "completed")
    await expect(turn.get_by_test_id("evidence")).to_have_text("demo 0:01.0 to 0:03.5")
    await expect(turn.get_by_test_id("facts")).to_contain_text("first token 5 ms")
    await expect(page.get_by_test_id("announcer")).to_contain_text("Answer: A small red circle")
    assert [question.text for question in server.cameras["demo"].asked] == ["What do you see?"]


async def test_cancel_ends_the_answer_where_it_stands(server: House, open_page: OpenPage) -> None:
    page = await connected(await open_page(server.url))
    server.cameras["demo"].pause()
    await ask(page, "Tell me everything")
    await expect(page.get_by_test_id("answer")).to_contain_text("A")
    await page.get_by_test_id("cancel").click()
    turn = page.get_by_test_id("turn")
    await expect(turn).to_have_attribute("data-status", "cancelled")
    await expect(turn.get_by_test_id("ending")).to_have_text("cancelled")
    await expect(page.get_by_test_id("cancel")).to_be_hidden()
    await expect(page.get_by_test_id("answer")).to_have_text("A ")


async def test_the_next_question_interrupts_and_gets_its_own_answer(
    server: House, open_page: OpenPage
) -> None:
    page = await connected(await open_page(server.url))
    server.cameras["demo"].pause()
    await ask(page, "The first?")
    await expect(page.get_by_test_id("answer")).to_contain_text("A")
    await ask(page, "The second?")
    first, second = page.get_by_test_id("turn").nth(0), page.get_by_test_id("turn").nth(1)
    await expect(first).to_have_attribute("data-status", "cancelled")
    await expect(first.get_by_test_id("ending")).to_contain_text("the next question came first")
    server.cameras["demo"].resume()
    await expect(second).to_have_attribute("data-status", "completed")
    await expect(second.get_by_test_id("answer")).to_contain_text("stops there")


async def test_a_camera_that_has_seen_nothing_fails_the_question_in_a_sentence(
    server: House, open_page: OpenPage
) -> None:
    page = await connected(await open_page(server.url))
    server.cameras["demo"].refuses = CameraBlind("camera demo has seen nothing yet; try again")
    await ask(page, "What do you see?")
    await expect(page.get_by_test_id("turn")).to_have_attribute("data-status", "failed")
    await expect(page.get_by_test_id("ending")).to_contain_text("has seen nothing yet")


async def test_a_refused_question_is_not_answered_with_the_one_before(
    server: House, open_page: OpenPage
) -> None:
    page = await connected(await open_page(server.url))
    await ask(page, "The first?")
    await expect(page.get_by_test_id("turn")).to_have_attribute("data-status", "completed")
    await ask(page, "long " * 4000)
    refused = page.get_by_test_id("turn").nth(1)
    await expect(refused).to_have_attribute("data-status", "failed")
    await expect(refused.get_by_test_id("ending")).to_contain_text("characters")
    assert len(server.cameras["demo"].asked) == 1


async def test_a_camera_that_is_not_live_is_told_with_its_reason_and_the_age_of_its_frame(
    server: House, open_page: OpenPage
) -> None:
    page = await connected(await open_page(server.url))
    camera = server.cameras["demo"]
    state = {"state": "retrying", "reason": "auth", "retry_in_ms": 4000.0, "frame_age_ms": 65_000.0}
    server.cameras.tell(camera.change(**state))
    notice = page.get_by_test_id("camera-notice")
    await expect(notice).to_contain_text(
        "demo is not live: it refuses the user name or the password"
    )
    await expect(page.get_by_test_id("camera-state")).to_have_text("retrying")
    server.cameras.tell(camera.change(state="live", reason=None, retry_in_ms=None))
    await expect(notice).to_be_hidden()


async def test_what_a_camera_gives_up_because_it_lags_is_told_and_its_recovery_too(
    server: House, open_page: OpenPage
) -> None:
    page = await connected(await open_page(server.url))
    camera = server.cameras["demo"]
    server.cameras.tell(camera.change(overload="budget", given_up=("fps", "budget")))
    notice = page.get_by_test_id("camera-notice")
    await expect(notice).to_contain_text("fewer frames are taken, less of each is kept.")
    server.cameras.tell(camera.change(overload="none", given_up=()))
    await expect(notice).to_be_hidden()


async def test_a_demo_camera_offers_questions_and_tells_what_is_really_there(
    server: House, open_page: OpenPage
) -> None:
    page = await connected(await open_page(server.url))
    await page.get_by_test_id("truth").locator("summary").click()
    await expect(page.get_by_test_id("truth")).to_contain_text("in view")
    await expect(page.get_by_test_id("happened")).to_contain_text("appeared")
    await page.get_by_test_id("chips").get_by_role("button", name="What appeared last?").click()
    await expect(page.get_by_test_id("turn")).to_contain_text("What appeared last?")
    await expect(page.get_by_test_id("footnote")).to_contain_text("What was really there")


async def test_markup_in_a_question_stays_text(server: House, open_page: OpenPage) -> None:
    page = await connected(await open_page(server.url))
    await ask(page, "<img src=x onerror=alert(1)>")
    await expect(page.get_by_test_id("turn")).to_contain_text("<img src=x onerror=alert(1)>")
    assert await page.get_by_test_id("turn").locator("img").count() == 0


async def test_a_blocked_webrtc_falls_back_to_stills_over_the_websocket(
    server: House, open_page: OpenPage
) -> None:
    async def block(context: BrowserContext) -> None:
        await context.route("**/whip/**", lambda route: route.abort())

    page = await connected(await open_page(server.url, may_complain=True, prepare=block))
    await page.get_by_test_id("webcam").click()
    await expect(page.get_by_test_id("webcam")).to_have_attribute("data-transport", "jpeg")
    await expect(page.get_by_test_id("webcam-notice")).to_contain_text("over the websocket instead")
    await live(page)
    (name,) = [name for name in server.cameras.names() if name != "demo"]
    await eventually(lambda: len(server.cameras[name].pushed) > 4)
    height, width, _ = server.cameras[name].pushed[-1].shape
    assert (width, height) == (640, 480)
    await page.get_by_test_id("camera").select_option("demo")  # looks away, goes on sending
    await expect(page.get_by_test_id("own")).to_be_hidden()
    sent = len(server.cameras[name].pushed)
    await eventually(lambda: len(server.cameras[name].pushed) > sent + 4)


async def test_webrtc_that_finds_no_path_falls_back_after_five_seconds(
    server: House, open_page: OpenPage
) -> None:
    async def deafen(context: BrowserContext) -> None:
        await context.route("**/whip/**", without_candidates)

    page = await connected(await open_page(server.url, prepare=deafen))
    await page.get_by_test_id("webcam").click()
    await expect(page.get_by_test_id("webcam")).to_have_attribute("data-transport", "jpeg")
    await expect(page.get_by_test_id("webcam-notice")).to_contain_text("WebRTC did not connect")
    await live(page)


async def test_a_server_without_room_says_so_and_the_webcam_is_off_again(
    open_page: OpenPage,
) -> None:
    async with scene(limit=1) as server:
        page = await connected(await open_page(server.url, may_complain=True))
        await page.get_by_test_id("webcam").click()
        notice = page.get_by_test_id("webcam-notice")
        await expect(notice).to_contain_text(
            "The server did not take the webcam: 1 cameras are the"
        )
        await expect(page.get_by_test_id("webcam")).to_have_text("Use my webcam")
        await expect(page.get_by_test_id("camera").locator("option")).to_have_text(["demo"])


async def test_a_refused_webcam_is_explained(server: House, open_page: OpenPage) -> None:
    page = await connected(await open_page(server.url, flags=(DENY_CAMERA,)))
    await page.get_by_test_id("webcam").click()
    await expect(page.get_by_test_id("webcam-notice")).to_contain_text("The camera was not allowed")
    await expect(page.get_by_test_id("webcam")).to_have_text("Use my webcam")


async def test_a_page_from_an_insecure_address_says_why_it_has_no_webcam(
    server: House, open_page: OpenPage
) -> None:
    name = socket.gethostname().lower()
    rule = f"--host-resolver-rules=MAP {name} 127.0.0.1"
    url = f"http://{name}:{port(server)}"
    page = await connected(await open_page(url, flags=(ALLOW_CAMERA, rule)))
    await page.get_by_test_id("webcam").click()
    await expect(page.get_by_test_id("webcam-notice")).to_contain_text("only over https")
    await expect(page.get_by_test_id("webcam-notice")).to_contain_text(url)


async def test_a_lost_server_is_told_and_found_again(open_page: OpenPage) -> None:
    async with scene() as server:
        page = await connected(await open_page(server.url, may_complain=True))
    await expect(page.get_by_test_id("connection")).to_contain_text("Server away, trying again in")
    await expect(page.get_by_test_id("stage-empty")).to_contain_text("does not answer")
    await expect(page.get_by_test_id("numbers")).to_have_attribute("data-stale", "")
    await expect(page.get_by_test_id("send")).to_be_disabled()
    async with scene(port=port(server)):
        await connected(page)
        await live(page)
        await expect(page.get_by_test_id("send")).to_be_enabled()


async def test_without_a_camera_the_page_says_how_to_get_one(
    server: House, open_page: OpenPage
) -> None:
    await server.cameras.detach("demo")
    page = await connected(await open_page(server.url))
    await expect(page.get_by_test_id("stage-empty")).to_contain_text("No camera yet")
    await expect(page.get_by_test_id("send")).to_be_disabled()


@pytest.mark.parametrize("width", [320, 360, 768, 1280])
async def test_nothing_needs_sideways_scrolling(
    server: House, open_page: OpenPage, width: int
) -> None:
    viewport = {"width": width, "height": 740}
    page = await connected(await open_page(server.url, viewport=viewport))
    await ask(page, "W" * 200)
    await expect(page.get_by_test_id("answer")).to_contain_text("small")
    wide = await page.evaluate("document.documentElement.scrollWidth")
    assert wide <= width


async def test_the_keyboard_alone_is_enough(server: House, open_page: OpenPage) -> None:
    page = await connected(await open_page(server.url))
    server.cameras["demo"].pause()
    await expect(page.get_by_test_id("send")).to_be_enabled()
    await page.keyboard.press("Tab")
    await page.keyboard.press("Enter")  # "Skip to the question"
    await page.keyboard.type("Where is the star?")
    await page.keyboard.press("Enter")
    await expect(page.get_by_test_id("answer")).to_contain_text("A")
    await page.keyboard.press("Escape")
    await expect(page.get_by_test_id("turn")).to_have_attribute("data-status", "cancelled")


async def test_a_server_with_keys_asks_for_one_and_lets_the_page_in(open_page: OpenPage) -> None:
    key = new_key()
    async with scene(environment={"LOOKOUT_API_KEY": key}) as server:
        page = await open_page(server.url, may_complain=True)
        await expect(page.get_by_test_id("login")).to_be_visible()
        await page.get_by_test_id("key").fill("lk_wrong_key_wrong_key")
        await page.get_by_test_id("key").press("Enter")
        await expect(page.get_by_test_id("login-problem")).to_contain_text("does not know this key")
        await page.get_by_test_id("key").fill(key)
        await page.get_by_test_id("key").press("Enter")
        await connected(page)
        await expect(page.get_by_test_id("login")).to_be_hidden()
        await expect(page.get_by_test_id("picture")).to_be_visible()
        assert key not in await page.content()
