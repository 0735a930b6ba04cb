"""What the next step does: pure decisions, no torch, no threads.

Decode goes first: every answer that is speaking gets a token in every step. Prefill (questions and
segments) shares a token budget: questions go before segments and each by age, but while segments
wait questions take at most three quarters, so that no run of questions stops the watching. Vision
encodes are bounded per step, so that speaking is never held up for long.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

WATCHING = 4  # one part in so many of the prefill budget is kept for segments that wait


@dataclass(frozen=True, slots=True)
class Waiting:
    """A prefill or an encode that could go on now."""

    job: int
    size: int  # tokens left to prefill, or visual tokens to encode
    since: float  # monotonic seconds when it began to wait
    urgent: bool = False  # somebody waits for it to speak


@dataclass(frozen=True, slots=True)
class StepPlan:
    """One step: which answers decode, who prefills how many tokens, which jobs encode."""

    decode: tuple[int, ...]
    prefill: tuple[tuple[int, int], ...]  # (job, tokens)
    encode: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Scheduler:
    """Composes steps.

    Args:
        prefill_tokens: most tokens prefilled in one step; at least one job always gets on.
        encode_tokens: most visual tokens encoded in one step; at least one job always gets on.
    """

    prefill_tokens: int = 256
    encode_tokens: int = 1024

    def __post_init__(self) -> None:
        if self.prefill_tokens < 1 or self.encode_tokens < 1:
            raise ValueError("prefill_tokens and encode_tokens must be at least 1")

    def plan(
        self, decoding: Sequence[int], prefills: Sequence[Waiting], encodes: Sequence[Waiting]
    ) -> StepPlan:
        """The next step.

        Args:
            decoding: answers that speak, all of which get a token.
            prefills: jobs with tokens laid out.
            encodes: jobs with pictures not yet seen.
        """
        questions = [job for job in prefills if job.urgent]
        segments = [job for job in prefills if not job.urgent]
        kept = min(self.prefill_tokens // WATCHING, sum(job.size for job in segments))
        granted = _share(questions, self.prefill_tokens - kept)
        granted += _share(segments, self.prefill_tokens - sum(tokens for _, tokens in granted))
        return StepPlan(tuple(decoding), tuple(granted), self._encodes(encodes))

    def _encodes(self, encodes: Sequence[Waiting]) -> tuple[int, ...]:
        chosen: list[int] = []
        left = self.encode_tokens
        for job in _by_age(encodes):
            if chosen and job.size > left:
                break
            chosen.append(job.job)
            left -= job.size
        return tuple(chosen)


def _share(jobs: Sequence[Waiting], left: int) -> list[tuple[int, int]]:
    """(job, tokens) of the oldest jobs, `left` tokens in all at most."""
    granted: list[tuple[int, int]] = []
    for job in _by_age(jobs):
        if left <= 0:
            break
        tokens = min(job.size, left)
        granted.append((job.job, tokens))
        left -= tokens
    return granted


def _by_age(jobs: Sequence[Waiting]) -> list[Waiting]:
    return sorted(jobs, key=lambda job: job.since)
