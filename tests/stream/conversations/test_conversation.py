"""Golden flows over the real websocket: asking, cancelling, and answers in each other's way."""

from __future__ import annotations

import asyncio

import pytest
from websockets.exceptions import ConnectionClosed

from core.errors import Busy, CameraBlind
from stream.cameras.answer import Turn
from stream.conversations.rules import Rules
from tests.fakes.house import client, house
from tests.waiting import eventually

# What a client sees of one answer, in order, deltas merged.
ANSWER = [
    "response.created",
    "response.output_item.added",
    "conversation.item.added",
    "response.content_part.added",
    "response.output_text.delta",
    "response.output_text.done",
    "response.output_text.annotation.added",
    "response.content_part.done",
    "response.output_item.done",
    "conversation.item.done",
    "response.done",
]


async def test_a_connection_begins_with_the_session_and_the_cameras() -> None:
    async with house("porch", "yard") as there, client(there) as me:
        session = (await me.receive())["session"]
        assert session["model"] == "fake"
        assert session["lookout"]["protocol"] == "1"
        assert session["lookout"]["limits"]["max_question_chars"] == 4000
        states = [await me.receive() for _ in range(2)]
        assert [(s["type"], s["camera"], s["state"]) for s in states] == [
            ("lookout.camera.state", "porch", "live"),
            ("lookout.camera.state", "yard", "live"),
        ]


async def test_an_answer_is_told_in_the_order_of_the_protocol() -> None:
    async with house("porch") as there, client(there) as me:
        await me.ask("What is there?", camera="porch")
        done = await me.done()
        assert done["status"] == "completed"
        assert done["output"][0]["content"][0]["text"] == "a red circle"
        assert done["usage"] == {
            "input_tokens": 7,
            "output_tokens": 3,
            "total_tokens": 10,
            "lookout": {"memory_tokens": 36},
        }
        assert done["lookout"]["timing"]["ttft_ms"] == 5.0
        assert me.text(done["id"]) == "a red circle"
        kinds = [e["type"] for e in me.events if e["type"] != "lookout.camera.state"]
        merged = [k for i, k in enumerate(kinds) if i == 0 or kinds[i - 1] != k]
        assert merged[:3] == [
            "session.created",
            "conversation.item.added",
            "conversation.item.done",
        ]
        assert merged[3:] == ANSWER
        question = me.of("conversation.item.added")[0]["item"]
        answer = me.of("conversation.item.added")[1]
        assert answer["previous_item_id"] == question["id"]


async def test_evidence_names_camera_stream_seconds_and_the_clock() -> None:
    async with house("porch") as there, client(there) as me:
        await me.ask("What is there?")
        evidence = (await me.until("response.output_text.annotation.added"))["annotation"]
        assert (evidence["camera"], evidence["t_start"], evidence["t_end"]) == ("porch", 1.0, 3.5)
        assert evidence["start"]["pts_ms"] == 1000
        assert evidence["start"]["at"] < evidence["end"]["at"]
        assert evidence["end"]["at"].endswith("Z")


async def test_evidence_can_be_turned_off() -> None:
    async with house("porch") as there, client(there) as me:
        await me.send("session.update", session={"lookout": {"evidence": "none"}})
        await me.until("session.updated")
        await me.ask("What is there?")
        await me.done()
        assert not me.of("response.output_text.annotation.added")


async def test_a_cancelled_answer_keeps_what_was_said_and_ends_once() -> None:
    async with house("porch") as there, client(there) as me:
        there.cameras["porch"].pause()
        await me.ask("What is there?")
        response_id = (await me.until("response.output_text.delta"))["response_id"]
        await me.send("response.cancel", response_id=response_id)
        done = await me.done()
        assert done["status"] == "cancelled"
        assert done["status_details"]["reason"] == "client_cancelled"
        assert done["output"][0]["content"][0]["text"] == "a "
        assert done["output"][0]["status"] == "incomplete"
        await me.send("response.cancel", response_id=response_id)  # always safe
        await me.send("lookout.clock")
        await me.until("lookout.clock")
        assert len(me.of("response.done")) == 1
        assert not me.of("error")


async def test_a_new_question_interrupts_the_answer_under_way() -> None:
    async with house("porch") as there, client(there) as me:
        porch = there.cameras["porch"]
        porch.pause()
        await me.ask("First?")
        await me.until("response.output_text.delta")
        await me.ask("Second?")
        first = await me.done()
        porch.resume()
        second = await me.done()
        assert (first["status"], first["status_details"]["reason"]) == (
            "cancelled",
            "turn_detected",
        )
        assert second["status"] == "completed"
        assert [q.text for q in porch.asked] == ["First?", "Second?"]


async def test_questions_can_queue_and_are_answered_in_order() -> None:
    async with house("porch", rules=Rules(on_new_input="queue")) as there, client(there) as me:
        porch = there.cameras["porch"]
        porch.pause()
        await me.ask("First?")
        await me.until("response.output_text.delta")
        await me.ask("Second?")
        created = (await me.until("response.created"))["response"]
        assert created["lookout"]["queue"] == {"position": 1}
        assert len(porch.asked) == 1
        porch.resume()
        done = [await me.done(), await me.done()]
        assert [d["status"] for d in done] == ["completed", "completed"]
        assert done[1]["id"] == created["id"]
        assert [q.text for q in porch.asked] == ["First?", "Second?"]


async def test_an_answer_that_waits_can_be_cancelled_before_it_begins() -> None:
    async with house("porch", rules=Rules(on_new_input="queue")) as there, client(there) as me:
        there.cameras["porch"].pause()
        await me.ask("First?")
        await me.until("response.output_text.delta")
        await me.ask("Second?")
        waiting = (await me.until("response.created"))["response"]["id"]
        await me.send("response.cancel", response_id=waiting)
        done = await me.done()
        assert (done["id"], done["status"], done["output"]) == (waiting, "cancelled", [])
        there.cameras["porch"].resume()
        assert (await me.done())["status"] == "completed"
        assert len(there.cameras["porch"].asked) == 1


async def test_answers_can_be_given_in_parallel() -> None:
    async with house("porch", rules=Rules(on_new_input="parallel")) as there, client(there) as me:
        porch = there.cameras["porch"]
        porch.pause()
        await me.ask("First?")
        await me.ask("Second?")
        await eventually(lambda: porch.running == 2)
        porch.resume()
        done = [await me.done(), await me.done()]
        assert {d["status"] for d in done} == {"completed"}
        assert {me.text(d["id"]) for d in done} == {"a red circle"}


async def test_too_many_waiting_questions_are_refused_as_busy() -> None:
    async with house("porch", rules=Rules(on_new_input="queue")) as there, client(there) as me:
        there.cameras["porch"].pause()
        for number in range(10):
            await me.ask(f"Question {number}?")
        error = await me.error()
        assert (error["type"], error["code"]) == ("overloaded_error", "busy")
        await me.send("response.cancel")
        for _ in range(9):
            assert (await me.done())["status"] == "cancelled"


async def test_a_side_answer_disturbs_nobody_and_leaves_no_message() -> None:
    async with house("porch") as there, client(there) as me:
        porch = there.cameras["porch"]
        porch.pause()
        await me.ask("Main?")
        main = (await me.until("response.output_text.delta"))["response_id"]
        content = [{"type": "input_text", "text": "Aside?"}]
        aside = {"type": "message", "role": "user", "content": content}
        await me.send("response.create", response={"conversation": "none", "input": [aside]})
        await eventually(lambda: porch.running == 2)
        porch.resume()
        done = [await me.done(), await me.done()]
        assert {d["status"] for d in done} == {"completed"}
        messages = {e["item"]["id"] for e in me.of("conversation.item.added")}
        of_main = {d["id"] == main: d["output"][0]["id"] in messages for d in done}
        assert of_main == {True: True, False: False}


async def test_earlier_turns_and_instructions_reach_the_model() -> None:
    async with house("porch") as there, client(there) as me:
        await me.send("session.update", session={"instructions": "Be brief."})
        await me.ask("First?")
        await me.done()
        await me.ask("Second?")
        await me.done()
        question = there.cameras["porch"].asked[-1]
        assert question.instructions == "Be brief."
        assert question.history == (Turn("user", "First?"), Turn("assistant", "a red circle"))
        assert question.text == "Second?"


async def test_a_deleted_message_is_forgotten() -> None:
    async with house("porch") as there, client(there) as me:
        await me.say("First?")
        item = (await me.until("conversation.item.done"))["item"]
        await me.send("conversation.item.delete", item_id=item["id"])
        assert (await me.until("conversation.item.deleted"))["item_id"] == item["id"]
        await me.send("response.create")
        assert (await me.error())["code"] == "no_question"


async def test_an_answer_cut_by_its_token_limit_is_incomplete() -> None:
    async with house("porch") as there, client(there) as me:
        await me.say("What?")
        await me.send("response.create", response={"max_output_tokens": 2})
        done = await me.done()
        assert (done["status"], done["status_details"]["reason"]) == (
            "incomplete",
            "max_output_tokens",
        )
        assert me.text(done["id"]) == "a red "


async def test_who_is_refused_because_all_are_busy_is_told_when_to_ask_again() -> None:
    async with house("porch") as there, client(there) as me:
        there.cameras["porch"].refuses = Busy("full; ask again in about 3 s", 2.5)
        await me.ask("What?")
        error = (await me.done())["status_details"]["error"]
        assert error["lookout"] == {"retry_after_ms": 2500}


@pytest.mark.parametrize("refusal", [Busy("full"), CameraBlind("nothing seen yet")])
async def test_a_refused_question_fails_its_response_and_nothing_else(
    refusal: Busy | CameraBlind,
) -> None:
    async with house("porch") as there, client(there) as me:
        there.cameras["porch"].refuses = refusal
        await me.ask("What?")
        done = await me.done()
        assert done["status"] == "failed"
        assert done["status_details"]["error"]["code"] == refusal.code
        there.cameras["porch"].refuses = None
        await me.ask("And now?")
        assert (await me.done())["status"] == "completed"


async def test_a_model_that_fails_gives_a_failed_response_and_no_error_as_text() -> None:
    async with house("porch") as there, client(there) as me:
        there.cameras["porch"].fails = "out of memory"
        await me.ask("What?")
        done = await me.done()
        assert done["status"] == "failed"
        assert done["status_details"]["error"]["message"] == "out of memory"
        assert me.text(done["id"]) == ""


async def test_a_mistake_of_ours_in_an_answer_fails_that_answer_only() -> None:
    async with house("porch") as there, client(there) as me:
        there.cameras["porch"].refuses = ZeroDivisionError("not for clients")
        await me.ask("What?")
        done = await me.done()
        assert done["status"] == "failed"
        assert "not for clients" not in str(done)
        there.cameras["porch"].refuses = None
        await me.ask("And now?")
        assert (await me.done())["status"] == "completed"


async def test_a_mistake_of_ours_in_a_conversation_ends_that_conversation_only() -> None:
    async with house("porch") as there, client(there) as me, client(there) as other:
        await other.until("lookout.camera.state")
        there.cameras["porch"].breaks = ZeroDivisionError("not for clients")
        await me.send("lookout.camera.list")
        with pytest.raises(ConnectionClosed) as closed:
            while True:
                await me.receive()
        assert closed.value.rcvd is not None
        assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (1011, "internal error")
        there.cameras["porch"].breaks = None
        await other.ask("Still there?")
        assert (await other.done())["status"] == "completed"


async def test_two_clients_ask_at_once_and_each_gets_its_own_answer() -> None:
    async with house("porch") as there, client(there) as one, client(there) as two:
        porch = there.cameras["porch"]
        porch.pause()
        await asyncio.gather(one.ask("One?"), two.ask("Two?"))
        await eventually(lambda: porch.running == 2)
        porch.resume()
        done = await asyncio.gather(one.done(), two.done())
        assert {d["status"] for d in done} == {"completed"}
        assert done[0]["id"] != done[1]["id"]
        assert not {e["response"]["id"] for e in one.of("response.created")} & {done[1]["id"]}


async def test_a_client_that_leaves_mid_answer_stops_it() -> None:
    async with house("porch") as there:
        porch = there.cameras["porch"]
        porch.pause()
        async with client(there) as me:
            await me.ask("What?")
            await me.until("response.output_text.delta")
        await eventually(lambda: porch.running == 0)


async def test_without_a_name_the_only_camera_is_meant_and_several_need_one() -> None:
    async with house("porch", "yard") as there, client(there) as me:
        await me.ask("What?")
        error = await me.error()
        assert error["code"] == "camera_not_found"
        assert "porch, yard" in error["message"]
        await me.send("session.update", session={"lookout": {"cameras": ["yard"]}})
        await me.ask("What?")
        assert (await me.done())["lookout"]["camera"] == "yard"


async def test_statistics_come_at_the_interval_asked_for_and_stop_at_zero() -> None:
    async with house("porch") as there, client(there) as me:
        await me.send("lookout.stats.subscribe", interval_ms=100)
        for _ in range(3):
            stats = await me.until("lookout.stats")
        assert stats["cameras"][0]["name"] == "porch"
        assert stats["cameras"][0]["memory_capacity"] == 512
        assert stats["cameras"][0]["newest"]["pts_ms"] == 4000
        await me.send("lookout.stats.subscribe", interval_ms=0)
        await me.send("lookout.clock", client_time="2026-01-01T00:00:00Z")
        clock = await me.until("lookout.clock")
        assert clock["client_time"] == "2026-01-01T00:00:00Z"
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.5):
                await me.until("lookout.stats")


async def test_a_camera_that_changes_state_is_announced_to_everybody() -> None:
    async with house("porch") as there, client(there) as one, client(there) as two:
        for each in (one, two):
            await each.until("lookout.camera.state", state="live")
        view = there.cameras["porch"].change(state="retrying", reason="timeout", retry_in_ms=1999.7)
        there.cameras.tell(view)
        for each in (one, two):
            state = await each.until("lookout.camera.state", state="retrying")
            assert (state["reason"], state["retry_in_ms"]) == ("timeout", 2000)
