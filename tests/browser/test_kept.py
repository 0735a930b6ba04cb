"""The page lays what pruning kept over the picture, when somebody wants to see it."""

from __future__ import annotations

import pytest
from playwright.async_api import expect

from core.kept import KeptStep
from tests.browser.conftest import OpenPage
from tests.browser.scene import scene
from tests.browser.steps import connected

pytestmark = pytest.mark.real
ROWS, COLUMNS = 3, 6

# How opaque the overlay is in the middle of every place, row by row.
OPACITIES = """([rows, columns]) => {
  const canvas = document.querySelector("[data-testid=kept]");
  const copy = document.createElement("canvas");
  [copy.width, copy.height] = [canvas.width, canvas.height];
  const context = copy.getContext("2d", { willReadFrequently: true });
  context.drawImage(canvas, 0, 0);
  const found = [];
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      const x = Math.floor(((column + 0.5) * canvas.width) / columns);
      const y = Math.floor(((row + 0.5) * canvas.height) / rows);
      found.push(context.getImageData(x, y, 1, 1).data[3]);
    }
  }
  return found;
}"""


def kept(*cells: int) -> KeptStep:
    return KeptStep(4.0, ROWS, COLUMNS, cells)


async def test_what_was_dropped_is_dimmed_and_follows_the_stream(open_page: OpenPage) -> None:
    async with scene() as server:
        page = await connected(await open_page(server.url))
        button, overlay = page.get_by_test_id("show-kept"), page.get_by_test_id("kept")
        await expect(page.get_by_test_id("picture")).to_be_visible()
        await expect(button).to_be_disabled()  # nothing is known yet

        first = (0, 4, 7, 11, 17)
        server.cameras["demo"].change(kept=kept(*first))
        await expect(button).to_be_enabled()
        await expect(overlay).to_be_hidden()
        await button.click()
        await expect(overlay).to_be_visible()
        await expect(overlay).to_have_attribute("data-kept", str(len(first)))
        await expect(overlay).to_have_accessible_name(
            "5 of 18 visual tokens kept; the others are dimmed"
        )
        opacities = await page.evaluate(OPACITIES, [ROWS, COLUMNS])
        assert [place for place, value in enumerate(opacities) if value == 0] == list(first)
        assert sum(value > 100 for value in opacities) == ROWS * COLUMNS - len(first)
        same = await page.evaluate(
            """() => ["picture", "kept"].map((id) => {
              const node = document.getElementById(id);
              const box = node.getBoundingClientRect();
              const size = [node.naturalWidth ?? node.width, node.naturalHeight ?? node.height];
              return [box.x, box.y, box.width, box.height, ...size];
            })"""
        )
        assert same[0] == same[1], "the overlay lies exactly over the picture"

        server.cameras["demo"].change(kept=kept(5))
        await expect(overlay).to_have_attribute("data-kept", "1")
        opacities = await page.evaluate(OPACITIES, [ROWS, COLUMNS])
        assert [place for place, value in enumerate(opacities) if value == 0] == [5]
        await button.click()
        await expect(overlay).to_be_hidden()
        await page.close()
