"""One mount of the test server: a clip played in real time, for ever, to whoever watches."""

from __future__ import annotations

import asyncio
import random
import time

from tests.rtsp.rtp import Clip, RtpSender


class Broadcast:
    """Plays a clip in a loop with time stamps that go on rising.

    Attributes:
        clip: what is played; may be exchanged at any time, and begins anew then.
        viewers: who gets it.
        jump_s: added to every time stamp.
        keyframes: False holds all keyframes back; viewers then join wherever it is.
        running: cleared to freeze; the frozen time counts as media time, as with a real camera.
    """

    def __init__(self, clip: Clip, running: asyncio.Event) -> None:
        self.clip = clip
        self.viewers: set[RtpSender] = set()
        self.jump_s = 0.0
        self.keyframes = True
        self.running = running

    async def play(self) -> None:
        """Until cancelled."""
        start = time.monotonic()
        passed = 0.0  # media time of the beginning of this pass
        while True:
            clip = self.clip
            for unit in clip.units:
                await asyncio.sleep(max(start + passed + unit.dts - time.monotonic(), 0))
                if not self.running.is_set():
                    froze = time.monotonic()
                    await self.running.wait()
                    passed += time.monotonic() - froze
                if clip is not self.clip:
                    break
                if unit.key and not self.keyframes:
                    continue
                payloads = clip.payloads(unit)
                for viewer in tuple(self.viewers):
                    elapsed = passed + unit.pts + self.jump_s
                    viewer.send(elapsed, payloads, joins=unit.key or not self.keyframes)
            passed = max(passed + clip.duration, time.monotonic() - start)

    def garbage(self, count: int) -> None:
        """Sends noise to every viewer."""
        rng = random.Random(count)
        for viewer in tuple(self.viewers):
            viewer.send_garbage(count, rng)
