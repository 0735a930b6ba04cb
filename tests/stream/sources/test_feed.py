import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from itertools import pairwise

import pytest

from core.errors import ConfigError, SourceUnavailable
from stream.sources.backoff import Backoff
from stream.sources.base import EndOfSource, Source, SourceInfo
from stream.sources.feed import CameraState, Feed
from stream.sources.push import PushSource
from stream.sources.sampler import Sampler
from tests.stream.scripted import Journal, ScriptedSource
from tests.waiting import eventually

CONNECTING, LIVE, STALLED = CameraState.CONNECTING, CameraState.LIVE, CameraState.STALLED
RETRYING, OFFLINE = CameraState.RETRYING, CameraState.OFFLINE
QUICK = Backoff((0.01,), (0.01,), jitter=0)


@asynccontextmanager
async def running(feed: Feed) -> AsyncIterator[asyncio.Task[None]]:
    task = asyncio.create_task(feed.run())
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def one_after_another(*sources: Source) -> Callable[[], Source]:
    left = list(sources)
    return lambda: left.pop(0) if len(left) > 1 else left[0]


async def collect(feed: Feed, count: int) -> list[float]:
    times: list[float] = []
    async with asyncio.timeout(10):
        while len(times) < count:
            times += [frame.pts for frame in await feed.take(count - len(times))]
    return times


async def test_a_feed_goes_from_connecting_to_live_and_tells_size_and_codec() -> None:
    journal = Journal()
    feed = Feed(lambda: ScriptedSource().give(5.0, 5.5), fps=2, on_change=journal)
    assert feed.status.state is CONNECTING
    async with running(feed):
        assert await collect(feed, 2) == [0.0, 0.5]
        status = feed.status
    assert journal.states == [LIVE]
    assert (status.codec, status.width, status.height, status.fps) == ("h264", 6, 4, 25.0)
    assert (status.frames_in, status.frames_decoded, status.frames_dropped) == (2, 2, 0)
    assert status.reason is None
    assert status.newest_arrived is not None


class Sampled(ScriptedSource):
    """Keeps the sampler that it was opened with."""

    sampler: Sampler | None = None

    async def open(self, sampler: Sampler) -> SourceInfo:
        self.sampler = sampler
        return await super().open(sampler)


async def test_the_rate_of_a_feed_changes_while_it_runs_and_holds_for_later_connections() -> None:
    first, second = Sampled().give(0.0), Sampled().give(0.0)
    feed = Feed(one_after_another(first, second), fps=4, backoff=QUICK)
    async with running(feed):
        await collect(feed, 1)
        assert first.sampler is not None
        assert first.sampler.fps == 4
        feed.retune(1)
        assert first.sampler.fps == 1
        first.lose()
        await collect(feed, 1)
        assert second.sampler is not None
        assert second.sampler.fps == 1


async def test_a_lost_source_is_opened_again_and_pts_go_on_rising() -> None:
    journal = Journal()
    first, second = ScriptedSource().give(9.0, 9.5).lose(), ScriptedSource().give(0.0, 0.5)
    feed = Feed(one_after_another(first, second), fps=2, backoff=QUICK, on_change=journal)
    async with running(feed):
        times = await collect(feed, 4)
        status = feed.status
    assert times[:2] == [0.0, 0.5]
    assert all(before < after for before, after in pairwise(times))
    assert times[3] - times[2] == pytest.approx(0.5)
    assert journal.states == [LIVE, RETRYING, LIVE]
    assert status.reconnects == 1
    assert status.frames_decoded == 4
    assert first.closed == 1


async def test_a_live_source_is_never_given_up() -> None:
    refused = SourceUnavailable("no", "refused")
    opened = []

    def make() -> Source:
        opened.append(ScriptedSource(refused if len(opened) < 25 else None).give(1.0))
        return opened[-1]

    feed = Feed(make, fps=2, backoff=Backoff((0.001,), jitter=0))
    async with running(feed):
        assert await collect(feed, 1) == [0.0]
    assert len(opened) == 26
    assert all(source.closed == 1 for source in opened)


async def test_waits_follow_the_reason_and_are_published() -> None:
    journal = Journal()
    feed = Feed(
        lambda: ScriptedSource(SourceUnavailable("no", "auth")),
        fps=2,
        backoff=Backoff((0.01,), (77,), jitter=0),
        on_change=journal,
    )
    async with running(feed):
        await eventually(lambda: feed.status.state is RETRYING)
        status = feed.status
    assert status.reason == "auth"
    assert status.retry_in_s == pytest.approx(77, abs=5)


async def test_retry_now_cuts_a_long_wait_short() -> None:
    sources = one_after_another(
        ScriptedSource(SourceUnavailable("no", "timeout")), ScriptedSource().give(1.0)
    )
    feed = Feed(sources, fps=2, backoff=Backoff((1000,)))
    async with running(feed):
        await eventually(lambda: feed.status.state is RETRYING)
        feed.retry_now()
        assert await collect(feed, 1) == [0.0]
        assert feed.status.retry_in_s is None


async def test_silence_is_stalled_and_a_frame_makes_it_live_again() -> None:
    journal, source = Journal(), ScriptedSource().give(1.0)
    feed = Feed(
        lambda: source, fps=100, stall_after_s=0.05, restart_after_s=1000, on_change=journal
    )
    async with running(feed):
        await eventually(lambda: feed.status.state is STALLED)
        assert feed.status.reason == "timeout"
        source.give(1.5)
        await eventually(lambda: feed.status.state is LIVE)
    assert journal.states == [LIVE, STALLED, LIVE]
    assert feed.status.reconnects == 0
    assert source.closed == 1


async def test_long_silence_closes_the_source_and_opens_another() -> None:
    journal, silent = Journal(), ScriptedSource().give(1.0)
    feed = Feed(
        one_after_another(silent, ScriptedSource().give(0.0)),
        fps=100,
        stall_after_s=0.05,
        restart_after_s=0.15,
        backoff=QUICK,
        on_change=journal,
    )
    async with running(feed):
        await collect(feed, 2)
    assert journal.states == [LIVE, STALLED, RETRYING, LIVE]
    assert silent.closed == 1


async def test_a_source_that_never_sends_its_first_frame_is_restarted_too() -> None:
    journal = Journal()
    feed = Feed(
        one_after_another(ScriptedSource(), ScriptedSource().give(0.0)),
        fps=100,
        stall_after_s=0.03,
        restart_after_s=0.06,
        backoff=QUICK,
        on_change=journal,
    )
    async with running(feed):
        await collect(feed, 1)
    assert journal.states == [STALLED, RETRYING, LIVE]


async def test_a_camera_that_is_looked_at_rarely_is_not_silent_in_between() -> None:
    journal, source = Journal(), ScriptedSource().give(1.0)
    feed = Feed(
        lambda: source, fps=0.2, stall_after_s=0.01, restart_after_s=0.02, on_change=journal
    )
    async with running(feed):
        await collect(feed, 1)
        for number in range(4):
            await asyncio.sleep(0.05)
            source.give(2.0 + number)
        await collect(feed, 4)
    assert journal.states == [LIVE]


async def test_a_silent_file_stalls_but_is_not_given_up() -> None:
    journal, source = Journal(), ScriptedSource(live=False).give(1.0)
    feed = Feed(
        lambda: source, fps=100, stall_after_s=0.02, restart_after_s=0.03, on_change=journal
    )
    async with running(feed):
        await eventually(lambda: feed.status.state is STALLED)
        for _ in range(10):
            await asyncio.sleep(0.01)
        source.give(2.0).finish()
        await collect(feed, 2)
    assert journal.states == [LIVE, STALLED, LIVE, OFFLINE]


async def test_three_keyframe_intervals_of_silence_are_normal() -> None:
    source = ScriptedSource().give(1.0)
    source.stats.keyframe_interval = 100.0
    feed = Feed(lambda: source, fps=100, stall_after_s=0.02, restart_after_s=0.04)
    async with running(feed):
        await collect(feed, 1)
        for _ in range(10):
            await asyncio.sleep(0.01)
        assert feed.status.state is LIVE


async def test_the_count_of_failures_starts_again_after_healthy_delivery() -> None:
    now = [0.0]
    waits: list[float] = []

    def note(status) -> None:
        if status.state is RETRYING and status.retry_in_s is not None:
            waits.append(status.retry_in_s)
            feed.retry_now()

    refused = SourceUnavailable("no", "refused")

    class Healthy(ScriptedSource):
        async def recv(self):
            frame = await super().recv()
            now[0] = frame.pts
            return type(frame)(frame.pts, frame.pts, frame.pixels)

    sources = one_after_another(
        ScriptedSource(refused),
        ScriptedSource(refused),
        Healthy().give(100.0, 130.0, 159.0).lose(),
        Healthy().give(200.0, 230.0, 261.0).lose(),
        ScriptedSource(refused),
        ScriptedSource(hangs=True),
    )
    feed = Feed(
        sources,
        fps=2,
        backoff=Backoff(jitter=0),
        clock=lambda: now[0],
        on_change=note,
        stall_after_s=1e6,
    )
    async with running(feed):
        await eventually(lambda: len(waits) == 5)
    assert waits == [1, 2, 4, 1, 2]


async def test_when_nobody_takes_the_oldest_frames_give_way_and_are_counted() -> None:
    source = ScriptedSource().give(*range(100))
    feed = Feed(lambda: source, fps=2, buffer_frames=8)
    async with running(feed):
        await eventually(lambda: feed.status.frames_in == 100)
        assert feed.status.frames_dropped == 92
        assert await collect(feed, 8) == list(range(92, 100))


async def test_a_lossless_file_waits_for_whoever_takes() -> None:
    source = ScriptedSource(live=False, lossless=True).give(*range(100)).finish()
    feed = Feed(lambda: source, fps=2, buffer_frames=4)
    async with running(feed):
        assert await collect(feed, 100) == list(range(100))
        with pytest.raises(EndOfSource):
            await feed.take(1)
    assert feed.status.frames_dropped == 0


async def test_the_end_of_a_file_ends_the_feed_after_its_last_frame() -> None:
    journal = Journal()
    feed = Feed(
        lambda: ScriptedSource(live=False).give(0.0, 0.5).finish(), fps=2, on_change=journal
    )
    async with running(feed) as task:
        await asyncio.wait_for(asyncio.shield(task), 5)
        assert await collect(feed, 2) == [0.0, 0.5]
        with pytest.raises(EndOfSource):
            await feed.take(1)
    assert journal.states == [LIVE, OFFLINE]
    assert feed.status.reason == "ended"


async def test_a_file_that_cannot_be_read_says_why_and_ends_the_feed() -> None:
    feed = Feed(lambda: ScriptedSource(SourceUnavailable("x", "codec"), live=False), fps=2)
    async with running(feed) as task:
        await asyncio.wait_for(asyncio.shield(task), 5)
    assert (feed.status.state, feed.status.reason) == (OFFLINE, "codec")
    with pytest.raises(SourceUnavailable):
        await feed.take(1)


async def test_an_address_that_is_no_source_is_not_retried() -> None:
    def make() -> Source:
        raise ConfigError("unknown scheme")

    with pytest.raises(ConfigError):
        await asyncio.wait_for(Feed(make, fps=1).run(), 5)


async def test_cancelling_closes_the_source_wherever_the_feed_stands() -> None:
    opening, reading = ScriptedSource(hangs=True), ScriptedSource().give(0.0)
    for source in (opening, reading):
        feed = Feed(lambda source=source: source, fps=2)
        task = asyncio.create_task(feed.run())
        for _ in range(5):
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert source.closed == 1


async def test_the_size_of_frames_may_change() -> None:
    source = ScriptedSource().give(0.0).give(0.5, size=(8, 10))
    feed = Feed(lambda: source, fps=2)
    async with running(feed):
        await collect(feed, 2)
        assert (feed.status.width, feed.status.height) == (10, 8)


async def test_pushed_frames_stall_but_are_never_restarted() -> None:
    journal, source = Journal(), PushSource("phone")
    feed = Feed(
        lambda: source, fps=100, stall_after_s=0.03, restart_after_s=0.06, on_change=journal
    )
    picture = ScriptedSource().give(0.0)
    async with running(feed):
        await eventually(lambda: feed.status.state is STALLED)
        for _ in range(20):
            await asyncio.sleep(0.01)
        assert journal.states == [STALLED]
        source.push((await picture.recv()).pixels)
        await eventually(lambda: feed.status.state is LIVE)
        await eventually(lambda: feed.status.state is STALLED)
