"""Whose turn it is: cameras take turns by what they have had, not by who asks loudest. No torch.

Start-time fair queueing (Goyal, Vin and Cheng, 1996): each camera has a mark that rises with what
it is given, and the lowest mark goes first. Whoever comes back after a pause starts where the
others are, so nothing can be saved up; and a camera with large segments waits, after each grant,
until the others have had as much.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Waiting:
    """A prefill or an encode that could go on now."""

    job: int
    size: int  # tokens left to prefill, or visual tokens to encode
    since: float  # monotonic seconds when it began to wait
    urgent: bool = False  # somebody waits for it to speak
    camera: int = 0  # whose it is; jobs of one camera share its turns


class Turns:
    """Keeps what each camera has had. One for prefill, one for encodes."""

    def __init__(self) -> None:
        self._marks: dict[int, float] = {}
        self._now = 0.0  # the lowest mark of those that waited last; never falls

    def order(self, jobs: Iterable[Waiting]) -> list[Waiting]:
        """Who goes first: who has had least, then who has waited longest."""
        waiting = list(jobs)
        here = {job.camera: max(self._marks.get(job.camera, 0.0), self._now) for job in waiting}
        # Marks of those away that the others have passed say nothing any more.
        away = {camera: mark for camera, mark in self._marks.items() if mark > self._now}
        self._marks = away | here
        self._now = min(here.values(), default=self._now)
        return sorted(waiting, key=lambda job: (here[job.camera], job.since, job.job))

    def grant(self, job: Waiting, tokens: int) -> tuple[int, int]:
        """Give a job so many tokens; (job, tokens)."""
        self._marks[job.camera] = self._marks.get(job.camera, self._now) + tokens
        return job.job, tokens

    def leave(self, camera: int) -> None:
        """A camera is gone; its number does not come again. Idempotent."""
        self._marks.pop(camera, None)


def parts(jobs: Sequence[Waiting], left: int) -> list[tuple[int, int]]:
    """(job, tokens): equal parts, and what one does not need goes to the others.

    Nobody waits for the length of another, and everybody gets at least one token, also when there
    are fewer than jobs.
    """
    granted: list[tuple[int, int]] = []
    for n, job in enumerate(sorted(jobs, key=lambda job: (job.size, job.since))):
        tokens = min(job.size, max(1, left // (len(jobs) - n)))
        granted.append((job.job, tokens))
        left -= tokens
    return granted
