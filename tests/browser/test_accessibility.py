"""Everybody can use the page: contrast, names of controls, themes, reduced motion."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from playwright.async_api import expect

from tests.browser.conftest import OpenPage
from tests.browser.scene import scene
from tests.browser.steps import ask, connected
from tests.fakes.house import House

pytestmark = pytest.mark.real
LEAST = 4.5  # WCAG 2.2 AA for text of ordinary size

# Every visible element that holds text itself, with the contrast between it and what is behind it.
CONTRASTS = """() => {
  const parse = (text) => text.match(/[\\d.]+/g).map(Number);
  const channel = (c) => (c /= 255) <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
  const light = ([r, g, b]) => 0.2126 * channel(r) + 0.7152 * channel(g) + 0.0722 * channel(b);
  const behind = (node) => {
    for (; node; node = node.parentElement) {
      const colour = parse(getComputedStyle(node).backgroundColor);
      if (colour.length === 3 || colour[3] > 0.7) return colour;
    }
    return [255, 255, 255];
  };
  const rows = [];
  for (const node of document.querySelectorAll("body *")) {
    const own = [...node.childNodes].some((c) => c.nodeType === 3 && c.textContent.trim());
    if (!own || !node.checkVisibility() || node.disabled) continue;
    const [a, b] = [light(parse(getComputedStyle(node).color)), light(behind(node))];
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    rows.push([node.textContent.trim().slice(0, 40), ratio]);
  }
  return rows;
}"""


@pytest.fixture
async def server() -> AsyncIterator[House]:
    async with scene() as running:
        yield running


@pytest.mark.parametrize("theme", ["light", "dark"])
async def test_all_text_stands_out_from_what_is_behind_it(
    server: House, open_page: OpenPage, theme: str
) -> None:
    page = await connected(await open_page(server.url, color_scheme=theme))
    await ask(page, "What do you see?")
    await expect(page.get_by_test_id("turn")).to_have_attribute("data-status", "completed")
    server.cameras["demo"].pause()
    await ask(page, "And now?")
    await page.get_by_test_id("cancel").click()
    await expect(page.get_by_test_id("ending").nth(1)).to_be_visible()
    server.cameras.tell(server.cameras["demo"].change(state="stalled", reason="timeout"))
    await expect(page.get_by_test_id("camera-notice")).to_be_visible()
    contrasts = await page.evaluate(CONTRASTS)
    assert len(contrasts) > 25
    assert [row for row in contrasts if row[1] < LEAST] == []


async def test_every_control_has_a_name(server: House, open_page: OpenPage) -> None:
    page = await connected(await open_page(server.url))
    await expect(page.get_by_test_id("chips").locator("button").first).to_be_visible()
    devtools = await page.context.new_cdp_session(page)
    tree = await devtools.send("Accessibility.getFullAXTree")
    controls = {"button", "combobox", "textbox", "link", "DisclosureTriangle", "meter", "img"}
    found = [node for node in tree["nodes"] if node.get("role", {}).get("value") in controls]
    assert {"button", "combobox", "textbox", "meter"} <= {node["role"]["value"] for node in found}
    assert [n for n in found if not n["ignored"] and not n.get("name", {}).get("value")] == []


async def test_nothing_moves_for_those_who_do_not_want_it(
    server: House, open_page: OpenPage
) -> None:
    page = await connected(await open_page(server.url, reduced_motion="reduce"))
    await expect(page.get_by_test_id("camera-state")).to_have_text("live")
    moving = await page.evaluate("document.getAnimations().length")
    assert moving == 0
