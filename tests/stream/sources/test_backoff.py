import random

from hypothesis import given
from hypothesis import strategies as st

from stream.sources.backoff import Backoff


@given(st.integers(1, 1000), st.integers())
def test_waits_grow_in_steps_and_never_end(failures: int, seed: int) -> None:
    backoff = Backoff(rng=random.Random(seed))
    step = (1, 2, 4, 8, 16, 30, 60)[min(failures, 7) - 1]
    assert step * 0.8 <= backoff.delay(failures, "timeout") <= step * 1.2


@given(st.integers(5, 1000), st.integers())
def test_a_wrong_password_is_tried_every_five_minutes_at_last(failures: int, seed: int) -> None:
    assert 240 <= Backoff(rng=random.Random(seed)).delay(failures, "auth") <= 360


def test_cameras_do_not_come_back_in_step() -> None:
    backoff = Backoff(rng=random.Random(3))
    assert len({backoff.delay(4, "refused") for _ in range(50)}) == 50


def test_without_jitter_the_waits_are_exact() -> None:
    backoff = Backoff((0.5, 3), jitter=0)
    assert [backoff.delay(n, "ended") for n in (1, 2, 3, 9)] == [0.5, 3, 3, 3]
