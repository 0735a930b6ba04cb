"""The page beside a demo camera: what it tells people is what the world's log holds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from playwright.async_api import expect

from tests.browser.conftest import OpenPage
from tests.browser.steps import connected
from tests.fakes.house import house
from worlds.catalog import open_world

pytestmark = pytest.mark.real
SHOWN = 10  # lines of the log
WORDS = {  # of every kind of event, as the page is to say it
    "appeared": "{name} appeared",
    "left": "{name} left",
    "opened": "{name} opened",
    "closed": "{name} closed",
    "turned on": "{name} turned on",
    "turned off": "{name} turned off",
    "grew": "{name} grew",
    "shrank": "{name} shrank",
    "picked up": "the hand picked up the {name}",
    "put down": "the hand put down the {name}",
    "covered": "{name} was covered",
    "uncovered": "{name} was uncovered",
    "changed colour": "{shape} changed colour to {detail}",
    "changed number": "{name} changed to {detail}",
    "jumped": "{name} jumped to another place",
    "collided": "{name} collided with {detail}",
}


def _lines(log: Sequence[dict[str, Any]]) -> list[str]:
    """The newest events as the page is to write them, the newest first."""
    newest = reversed(log[-SHOWN:])
    return [f"{_clock(event['t'])} {WORDS[event['event']].format(**event)}" for event in newest]


def _clock(t: float) -> str:
    tenths = int(t * 10 + 0.5)
    return f"{tenths // 600}:{tenths % 600 / 10:04.1f}"


def _moments(seed: int) -> list[float]:
    """So many moments of a world that every kind of event is among what the page shows."""
    world, wanted, moments = open_world("desk", seed), set(WORDS), []
    for t in range(40, 1800, 15):
        kinds = {event["event"] for event in world.log(t - 30, t)[-SHOWN:]}
        if kinds & wanted:
            moments.append(float(t))
            wanted -= kinds
        if not wanted:
            return moments
    raise AssertionError(f"this world never shows {wanted}")


async def test_the_page_tells_the_log_of_the_world_newest_first(open_page: OpenPage) -> None:
    world = open_world("desk", 8)
    async with house("demo") as server:
        camera = server.cameras["demo"]
        camera.change(url="demo:desk")
        camera.truths = world.truth(40.0)
        page = await connected(await open_page(server.url))
        await page.get_by_test_id("truth").locator("summary").click()
        panel = page.get_by_test_id("truth")
        for t in _moments(8):
            camera.truths = world.truth(t)
            await expect(panel.get_by_test_id("happened").locator("li")).to_have_text(
                _lines(world.log(t - 30, t))
            )
            seen = world.seen(t)
            rows = panel.get_by_test_id("objects").get_by_role("rowheader")
            looks = [thing.look(t) for thing in seen]
            names = [f"{look.name}, {look.state}" if look.state else look.name for look in looks]
            await expect(rows).to_have_text(names)
            covered = panel.get_by_test_id("objects").get_by_role("cell", name="covered")
            await expect(covered).to_have_count(sum(thing.covered(t) for thing in seen))
