"""The small file beside the tensors: what they are, of what, from when, and that they are whole.

It is JSON in one canonical form under a seal of its own, so that a single changed byte is noticed.
"""

from __future__ import annotations

import hashlib
import json
from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from core.errors import MemoryDamaged, MemoryForeign
from memory.saving.fit import Fit
from memory.saving.state import MemoryState

VERSION = 1

Count = Annotated[int, Field(ge=0, lt=2**62)]
Seconds = Annotated[float, Field(allow_inf_nan=False)]


class Manifest(BaseModel):
    """What is known of a saved memory without reading its tensors."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    version: int = VERSION
    camera: str
    model: str
    fingerprint: str
    policy: str
    codec: str | None  # of the archive; None without one
    capacity: Count  # that it had; another one will do if it holds what is held
    held: Count
    seen: Count
    next_position: Count
    next_group: Count
    runs: Count  # of the archive
    away: Count = 0  # runs whose bytes lie in files of the archive's own
    alone: Count  # archived steps that belong to no run yet
    forgotten: Count  # steps that the archive had and gave up
    newest: Seconds  # stream seconds of the newest temporal step
    second_zero: Seconds  # Unix time of stream second 0
    saved_at: Seconds  # Unix time
    tensors_bytes: Count
    tensors_sha256: str

    def to_bytes(self) -> bytes:
        """The file."""
        body = self.model_dump(mode="json")
        return _canonical({**body, "seal": _seal(body)})

    @classmethod
    def read(cls, data: bytes) -> Self:
        """What `to_bytes` wrote.

        Raises:
            MemoryForeign: if another version of Lookout wrote it.
            MemoryDamaged: if it is anything else.
        """
        try:
            body = json.loads(data)
            version = body["version"]
        except (ValueError, RecursionError, TypeError, KeyError):
            raise MemoryDamaged("its manifest cannot be read") from None
        if version != VERSION:
            raise MemoryForeign(f"it has the format {version!r:.20}; this Lookout reads {VERSION}")
        seal = body.pop("seal", None)
        if seal != _seal(body) or data != _canonical({**body, "seal": seal}):
            raise MemoryDamaged("its manifest is not as it was written")
        try:
            return cls.model_validate(body)
        except ValidationError:
            raise MemoryDamaged("its manifest does not say what it must") from None

    def check(self, camera: str, fit: Fit) -> None:
        """Refuse what cannot become the memory that is wanted.

        Raises:
            MemoryForeign: saying why.
        """
        if self.camera != camera:
            raise MemoryForeign(f"it is that of the camera {self.camera!r:.80}")
        if self.fingerprint != fit.fingerprint:
            other = "another model" if self.model != fit.model else "other weights of this model"
            raise MemoryForeign(f"it was made with {other} ({self.model!r:.80})")
        if self.policy != repr(fit.policy):
            raise MemoryForeign(f"memory.policy was {self.policy!s:.120}, it is {fit.policy}")
        if self.codec is not None and self.codec != _label(fit):
            raise MemoryForeign(
                f"memory.archive was packed by {self.codec:.80}, now it is {_label(fit) or 'off'}"
            )
        if self.held > fit.capacity:
            raise MemoryForeign(
                f"it holds {self.held} tokens, more than memory.capacity {fit.capacity}"
            )


def describe(
    camera: str,
    fit: Fit,
    state: MemoryState,
    tensors: tuple[int, str],
    newest: float,
    second_zero: float,
    saved_at: float,
) -> Manifest:
    """The manifest of a state.

    Args:
        camera: whose it is.
        fit: of the memory it was taken of.
        state: what it held.
        tensors: bytes and SHA-256 of the file of tensors.
        newest: stream seconds of the newest frame remembered.
        second_zero: Unix time of stream second 0.
        saved_at: Unix time.
    """
    archive = state.archive
    return Manifest(
        camera=camera,
        model=fit.model,
        fingerprint=fit.fingerprint,
        policy=repr(fit.policy),
        codec=None if archive is None else archive.codec.label,
        capacity=fit.capacity,
        held=state.held,
        seen=state.seen,
        next_position=state.next_position,
        next_group=state.next_group,
        runs=len(archive.runs) if archive else 0,
        away=len(archive.away) if archive else 0,
        alone=len(archive.alone) if archive else 0,
        forgotten=archive.forgotten if archive else 0,
        newest=newest,
        second_zero=second_zero,
        saved_at=saved_at,
        tensors_bytes=tensors[0],
        tensors_sha256=tensors[1],
    )


def _label(fit: Fit) -> str | None:
    return None if fit.codec is None else fit.codec.label


def _seal(body: dict[str, Any]) -> str:
    return hashlib.sha256(_canonical(body)).hexdigest()


def _canonical(body: dict[str, Any]) -> bytes:
    return (json.dumps(body, sort_keys=True, indent=1) + "\n").encode()
