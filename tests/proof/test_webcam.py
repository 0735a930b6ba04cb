"""A browser's webcam over WebRTC behind the real server, watched while answers are given."""

from __future__ import annotations

import pytest

from tests.browser.conftest import OpenPage
from tests.browser.steps import connected, more_frames, start_webcam
from tests.proof.serving import serving
from tests.proof.watching import measure

pytestmark = pytest.mark.real


async def test_a_webcam_is_watched_while_answers_are_given(tmp_path, open_page: OpenPage):
    async with serving(tmp_path) as served:
        page = await connected(await open_page(served.address))
        await start_webcam(page)
        await more_frames(page, 4)
        (camera,) = served.cameras()
        figures = await measure(served, camera, "browser-webcam-webrtc")
        assert figures.values["frames_dropped"] == 0
        assert figures.values["ratio"] >= 0.95
        await page.close()
