"""What people do on the page and look for, in one place for all tests."""

from __future__ import annotations

from playwright.async_api import Page, expect

from tests.browser.conftest import WAIT_MS

expect.set_options(timeout=WAIT_MS)
FRAMES = "+document.querySelector('[data-testid=frames-in]').textContent.replaceAll(',', '')"


async def connected(page: Page) -> Page:
    """The page, once it is connected."""
    await expect(page.get_by_test_id("connection")).to_have_text("Connected")
    return page


async def live(page: Page) -> None:
    """Waits until the camera that is looked at is live."""
    await expect(page.get_by_test_id("camera-state")).to_have_text("live")


async def more_frames(page: Page, count: int) -> None:
    """Waits until so many frames more have entered memory."""
    before = await page.evaluate(f"({FRAMES}) || 0")
    await page.wait_for_function(f"least => {FRAMES} >= least", arg=before + count)


async def ask(page: Page, question: str) -> None:
    """Types a question and sends it."""
    await page.get_by_test_id("question").fill(question)
    await page.get_by_test_id("question").press("Enter")


async def start_webcam(page: Page) -> None:
    """Clicks, and waits until the webcam is live over WebRTC."""
    await page.get_by_test_id("webcam").click()
    await expect(page.get_by_test_id("webcam")).to_have_attribute("data-transport", "webrtc")
    await expect(page.get_by_test_id("own")).to_be_visible()
    await live(page)
