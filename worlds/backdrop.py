"""The scenery of a stretch as a value: also in a mirror, or in the other order of time."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from worlds.scenery import Scenery

Shares = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class Backdrop:
    """The scenery of a stretch, as a value.

    Args:
        seed: of the scenery.
        shares: of `worlds.scenery.KINDS`.
        origin: seconds of the scenery's own time, shown at the stretch's first moment.
        mirrored: whether left and right are exchanged.
        backwards: whether its own time runs back.
    """

    seed: int
    shares: Shares
    origin: float = 0.0
    mirrored: bool = False
    backwards: bool = False

    def own(self, t: float) -> float:
        """The scenery's own time at stretch time `t`, both in seconds."""
        return self.origin - t if self.backwards else self.origin + t


class TurnedScenery(Scenery):
    """The scenery of a backdrop: light and background move with it, noise does not.

    Args:
        backdrop: which, and how it is turned.
    """

    def __init__(self, backdrop: Backdrop) -> None:
        super().__init__(backdrop.seed, backdrop.shares)
        self._backdrop = backdrop

    def light(self, t: float) -> float:
        """Brightness of everything at stretch time `t`, around 1."""
        return super().light(self._backdrop.own(t))

    def corners(self, t: float) -> NDArray[np.float32]:
        """See `Scenery.corners`."""
        return self._seen(super().corners(self._backdrop.own(t)))

    def detail(self, size: tuple[int, int]) -> NDArray[np.float32] | None:
        """See `Scenery.detail`."""
        detail = super().detail(size)
        return None if detail is None else self._seen(detail)

    def _seen(self, picture: NDArray[np.float32]) -> NDArray[np.float32]:
        return np.ascontiguousarray(picture[:, ::-1]) if self._backdrop.mirrored else picture
