from __future__ import annotations

import random

import pytest

from core.errors import CapacityExceeded
from memory.pool import KVShape, PagePool
from memory.scratch import Scratch


def pool(pages: int = 8) -> PagePool:
    return PagePool(KVShape(2, 1, 4), pages, 4)


def test_a_lease_is_a_promise_that_is_kept():
    p = pool(3)
    lease = p.lease(2)
    with pytest.raises(CapacityExceeded, match="1 are free"):
        p.lease(2)
    other = p.lease(1)
    taken = [lease.take(), lease.take(), other.take()]
    assert sorted(taken) == [0, 1, 2]
    p.drop(taken)
    assert (p.free, p.unpromised) == (3, 3)


def test_closing_a_lease_gives_back_only_what_was_not_taken():
    p = pool(3)
    lease = p.lease(3)
    page = lease.take()
    lease.close()
    lease.close()
    assert (p.free, p.unpromised) == (2, 2)
    p.drop([page])
    p.check()


def test_a_scratch_grows_in_its_own_pages_rewinds_and_releases():
    p = pool(4)
    scratch = Scratch(p, 10)
    assert p.unpromised == 1
    first, second = scratch.extend(3), scratch.extend(4)
    assert len({*first.tolist(), *second.tolist()}) == 7
    assert scratch.view().slots.tolist() == [*first.tolist(), *second.tolist()]
    assert len(scratch.view().slots) > 3
    scratch.rewind(3)
    assert len(scratch.view().slots) == 3, "not what was seen before"
    assert scratch.extend(4).tolist() == second.tolist()
    with pytest.raises(ValueError, match="exceed"):
        scratch.extend(4)
    with pytest.raises(ValueError, match="rewind"):
        scratch.rewind(8)
    scratch.release()
    scratch.release()
    assert (p.free, p.unpromised) == (4, 4)


def test_bytes_are_those_of_the_tensors():
    p = pool(8)
    assert p.bytes == 2 * (2 * 8 * 4 * 1 * 4) * 4
    assert p.shape.bytes_per_token * 8 * 4 == p.bytes


def test_a_pool_that_does_not_fit_is_refused_with_its_size():
    with pytest.raises(CapacityExceeded, match=r"GiB.*memory\.capacity"):
        PagePool(KVShape(64, 64, 1024), 2**31, 1024)


def test_100_000_random_operations_leak_nothing():
    p, randomness = pool(40), random.Random(1)
    leases, held = [], []
    for _ in range(100_000):
        match randomness.randrange(5):
            case 0 if p.unpromised:
                leases.append(p.lease(randomness.randint(1, p.unpromised)))
            case 1 if any(lease.rights for lease in leases):
                held.append(randomness.choice([one for one in leases if one.rights]).take())
            case 2 if held:
                page = randomness.choice(held)
                p.hold([page])
                held.append(page)
            case 3 if held:
                p.drop([held.pop(randomness.randrange(len(held)))])
            case 4 if leases:
                leases.pop(randomness.randrange(len(leases))).close()
    p.check()
    p.drop(held)
    for lease in leases:
        lease.close()
    assert (p.free, p.unpromised) == (40, 40)
    p.check()
