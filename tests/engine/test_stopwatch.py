"""Steps are timed where they run, and nobody waits to know how long they took."""

from __future__ import annotations

import time

import pytest
import torch

from engine.lanes import InLine, lane_for
from engine.pace import Load
from engine.stopwatch import PENDING, DeviceWatch, HostWatch, Mark, stopwatch_for

SPOKEN, SEEN = Load(rows=1), Load(rows=1, encoded=64)


class Moment:
    """A moment on a device of this test's own: it is past when the device has come so far."""

    def __init__(self, device: Device, at: float) -> None:
        self._device, self.at = device, at

    def query(self) -> bool:
        return self._device.now >= self.at

    def elapsed_time(self, other: Mark) -> float:
        assert isinstance(other, Moment) and self.query() and other.query()
        return other.at - self.at


class Device:
    """Two queues of work; a mark stands behind what was launched in one of them."""

    def __init__(self) -> None:
        self.now = 0.0
        self.until = {True: 0.0, False: 0.0}

    def launch(self, eye: bool, ms: float) -> None:
        self.until[eye] = max(self.until[eye], self.now) + ms

    def mark(self, eye: bool) -> Moment:
        return Moment(self, max(self.until[eye], self.now))


def test_a_step_is_told_of_when_the_device_is_done_with_it() -> None:
    device = Device()
    watch = DeviceWatch(device.mark)
    watch.start()
    device.launch(False, 7.0)
    assert watch.stop(SPOKEN) == []
    device.now = 7.0
    watch.start()
    device.launch(False, 2.0)
    device.launch(True, 30.0)
    assert watch.stop(SEEN) == [(SPOKEN, 7.0)]
    device.now = 20.0
    watch.start()
    assert watch.stop(SPOKEN) == [], "steps are told of in order, and the eye is still at it"
    device.now = 40.0
    watch.start()
    device.launch(False, 1.0)
    assert watch.stop(SPOKEN) == [(SEEN, 30.0), (SPOKEN, 0.0)]


def test_a_step_behind_another_is_not_charged_with_it() -> None:
    device = Device()
    watch = DeviceWatch(device.mark)
    for _ in range(2):
        watch.start()
        device.launch(False, 10.0)
        watch.stop(SPOKEN)
    device.now = 20.0
    watch.start()
    assert [ms for _, ms in watch.stop(SPOKEN)] == [10.0, 10.0, 0.0]


def test_a_device_that_hangs_lets_no_queue_grow() -> None:
    device = Device()
    watch = DeviceWatch(device.mark)
    device.launch(False, 1e9)
    for _ in range(3 * PENDING):
        watch.start()
        assert watch.stop(SPOKEN) == []
    device.now = 2e9
    watch.start()
    assert len(watch.stop(SPOKEN)) <= PENDING


def test_on_a_cpu_a_step_lasts_as_long_as_its_launch() -> None:
    watch = stopwatch_for(torch.device("cpu"), InLine())
    assert isinstance(watch, HostWatch)
    began = time.monotonic()
    watch.start()
    time.sleep(0.02)
    ((load, ms),) = watch.stop(SPOKEN)
    assert load == SPOKEN
    assert 20 <= ms <= (time.monotonic() - began) * 1000


@pytest.mark.gpu
def test_on_a_gpu_work_is_timed_after_the_host_has_gone_on() -> None:
    if not torch.cuda.is_available():
        pytest.skip("needs a CUDA device")
    device = torch.device("cuda")
    watch = stopwatch_for(device, lane_for(device))
    a = torch.randn(4096, 4096, device=device)
    watch.start()
    for _ in range(20):
        a = a @ a / 4096
    known = watch.stop(SEEN)
    torch.cuda.synchronize()
    watch.start()
    known += watch.stop(SPOKEN)
    torch.cuda.synchronize()
    assert known[0][0] == SEEN and known[0][1] > 0
