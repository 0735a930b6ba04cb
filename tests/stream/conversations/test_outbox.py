"""Laws of the outbox: no text is lost, states and numbers are the newest, and it is bounded."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import ClientTooSlow
from core.events import (
    CameraDetached,
    CameraState,
    Clock,
    ImageDropped,
    ServerEvent,
    Stats,
    TextDelta,
    now,
)
from stream.conversations.outbox import Outbox


def delta(answer: str, text: str) -> TextDelta:
    return TextDelta(response_id=answer, item_id="i", delta=text)


def state(camera: str, name: str) -> CameraState:
    return CameraState(camera=camera, state=name, at=now())


def clock() -> Clock:
    return Clock(client_time=None, server_time=now())


async def drained(outbox: Outbox) -> list[ServerEvent]:
    outbox.close()
    return [event async for event in _events(outbox)]


async def _events(outbox: Outbox):  # type: ignore[no-untyped-def]
    while (event := await outbox.get()) is not None:
        yield event


@given(st.lists(st.tuples(st.sampled_from("ab"), st.text(max_size=4), st.booleans())))
def test_whatever_is_read_when_each_answers_text_arrives_whole_and_in_order(
    script: list[tuple[str, str, bool]],
) -> None:
    async def run() -> None:
        outbox, got = Outbox(), []
        for answer, text, read in script:
            outbox.put(delta(answer, text))
            if read:
                got.append(await outbox.get())
        got += await drained(outbox)
        for answer in "ab":
            sent = "".join(text for name, text, _ in script if name == answer)
            heard = [e for e in got if isinstance(e, TextDelta) and e.response_id == answer]
            assert "".join(e.delta for e in heard) == sent

    asyncio.run(run())


async def test_unread_deltas_of_one_answer_are_one_event_in_the_place_of_the_first() -> None:
    outbox = Outbox()
    for event in (delta("a", "x"), clock(), delta("b", "1"), delta("a", "y"), delta("b", "2")):
        outbox.put(event)
    first, between, last = await drained(outbox)
    assert isinstance(first, TextDelta)
    assert isinstance(last, TextDelta)
    assert (first.delta, between.type, last.delta) == ("xy", "lookout.clock", "12")


async def test_of_states_and_numbers_only_the_newest_is_sent() -> None:
    outbox = Outbox()
    for event in (
        state("porch", "live"),
        Stats(cameras=(), at=now()),
        state("yard", "live"),
        state("porch", "stalled"),
        newest := Stats(cameras=(), at=now()),
    ):
        outbox.put(event)
    porch, stats, yard = await drained(outbox)
    assert isinstance(porch, CameraState)
    assert (porch.state, stats, yard.type) == ("stalled", newest, "lookout.camera.state")


async def test_a_camera_that_comes_back_is_not_told_as_gone() -> None:
    outbox = Outbox()
    for event in (state("a", "live"), CameraDetached(camera="a"), state("a", "connecting")):
        outbox.put(event)
    assert [getattr(e, "state", "gone") for e in await drained(outbox)] == ["connecting"]


async def test_dropped_frames_add_up() -> None:
    outbox = Outbox()
    for count in (2, 3):
        outbox.put(ImageDropped(camera="a", dropped=count, reason="superseded"))
    (event,) = await drained(outbox)
    assert isinstance(event, ImageDropped)
    assert event.dropped == 5


async def test_beyond_the_limit_the_reader_learns_that_the_client_is_too_slow() -> None:
    outbox = Outbox(limit=3)
    for _ in range(4):
        outbox.put(clock())
    outbox.put(clock())
    assert len(outbox) == 4
    with pytest.raises(ClientTooSlow):
        await outbox.get()


async def test_mergeable_events_never_reach_the_limit() -> None:
    outbox = Outbox(limit=3)
    for number in range(1000):
        outbox.put(delta("a", str(number)))
        outbox.put(state("porch", "live"))
    assert len(outbox) == 2


async def test_a_reader_that_waits_gets_the_next_event_and_the_end() -> None:
    outbox = Outbox()
    reader = asyncio.create_task(outbox.get())
    await asyncio.sleep(0)
    outbox.put(clock())
    assert (await reader) is not None
    outbox.close()
    outbox.put(clock())
    assert await outbox.get() is None
