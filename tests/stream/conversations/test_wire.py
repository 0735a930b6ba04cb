"""What crosses the wire: any JSON is parsed or refused by name, and stream time meets the clock."""

from __future__ import annotations

import json
from dataclasses import fields
from datetime import timedelta
from typing import Any, get_args

from hypothesis import given
from hypothesis import strategies as st

from core import errors
from core.events import CLIENT_EVENT, AnyClientEvent, now
from core.kept import KeptStep
from memory.recall.tiers import Holdings, Level, Tier
from stream.cameras.view import CameraView
from stream.conversations import wire

TYPES = [kind.model_fields["type"].default for kind in get_args(AnyClientEvent)]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["type", "item", "session", "response", "lookout", "content", "image"])
            | st.text(max_size=3),
            inner,
            max_size=4,
        )
    ),
    max_leaves=8,
)


HOLDINGS = Holdings((Level(Tier.DEVICE, 2, 3, 4, 5), Level(Tier.DISK, 6, 7, 8, 9)), 10, 11, 12)


def view(**changes: Any) -> CameraView:
    values: dict[str, Any] = {field.name: 0 for field in fields(CameraView)}
    values |= {"name": "porch", "url": "rtsp://porch/", "state": "live", "reason": None}
    values |= {"codec": "h264", "policy": "vcast", "newest_pts": 10.0, "frame_age_ms": 500.0}
    values |= {"kept": KeptStep(9.5, 1, 3, (0, 2)), "restored": "", "save_problem": "disk full"}
    values |= {
        "overload": "budget",
        "given_up": ("fps", "budget"),
        "lags": None,
        "archive": HOLDINGS,
    }
    return CameraView(**{**values, **changes})


@given(
    fields_=st.dictionaries(st.text(max_size=8), JSON, max_size=4),
    kind=st.sampled_from(TYPES) | JSON,
)
def test_any_json_object_is_an_event_or_refused_with_a_code_and_a_name(
    fields_: dict[str, Any], kind: Any
) -> None:
    event = body = None
    try:
        event = wire.parse_event({**fields_, "type": kind})
    except wire.BadEvent as refused:
        body = refused.body
    if event is not None:
        assert event.type == kind
        assert CLIENT_EVENT.validate_json(event.model_dump_json()) == event
    if body is not None:
        assert body.code in ("unknown_event", "invalid_event")
        assert body.param
        assert len(body.message) < 500


def test_a_moment_is_as_old_as_the_newest_frame_and_the_stream_between() -> None:
    at = now()
    moment = wire.moment(view(), 7.0, at)
    assert moment.pts_ms == 7000
    assert at - moment.at == timedelta(seconds=3.5)


def test_a_camera_is_sent_as_json_with_all_its_numbers() -> None:
    sent = json.loads(wire.camera(view(retry_in_ms=12.6)).model_dump_json())
    assert sent["retry_in_ms"] == 13
    assert sent["newest"]["camera"] == "porch"
    assert (sent["restored"], sent["save_problem"]) == ("", "disk full")
    assert sent["kept"] == {"pts_ms": 9500, "rows": 1, "columns": 3, "cells": "oA=="}
    missing = {field.name for field in fields(CameraView)} - set(sent)
    assert missing == {"newest_pts", "lags"}
    assert sent["overload"] == "budget"


def test_every_error_has_a_code_of_its_own() -> None:
    """Clients tell errors by their code alone."""
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type)]
    codes = [kind.code for kind in kinds if issubclass(kind, errors.LookoutError)]
    assert len(codes) == len(set(codes))
