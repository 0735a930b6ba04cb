"""What the scheduler is asked: who could go on now, and with how much."""

from __future__ import annotations

from engine.scheduler import Scheduler, StepPlan, Waiting
from engine.work import Work


def planned(work: Work, scheduler: Scheduler) -> StepPlan:
    """The next step."""
    answers = [a for a in work.answers if not a.over and a.chunk is not None]
    prefills = [
        Waiting(a.number, len(a.chunk) - a.done, a.submitted, urgent=True)
        for a in answers
        if a.last is None and a.chunk is not None
    ]
    encodes = []
    for job in work.segments():
        if job.chunk is not None:
            left = len(job.chunk) - job.done
            camera = job.handle.number
            prefills.append(Waiting(job.number, left, job.submitted, camera=camera))
        elif job.segment is not None and job.tokens is None and job.seeing is None:
            camera = job.handle.number
            encodes.append(Waiting(job.number, job.size, job.submitted, camera=camera))
    decoding = [a.number for a in answers if a.last is not None]
    return scheduler.plan(decoding, prefills, encodes)
