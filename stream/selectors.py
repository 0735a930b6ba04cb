"""Selectors as settings: most are their own configuration; those that are trained name a file."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final, Literal, TypeVar

import torch
from pydantic import Field

from core.errors import ConfigError
from pruning.selectors.cacovid import CaCoVID
from pruning.selectors.cacovid_policy import PolicyNetwork
from pruning.selectors.qtsplus import QTSplus
from pruning.selectors.qtsplus_network import QTSplusNetwork
from pruning.selectors.registry import SELECTORS
from pruning.selectors.selector import Selector
from pruning.selectors.weights import Shape

UNTRAINED: Final = "untrained"
Network = TypeVar("Network", PolicyNetwork, QTSplusNetwork)


class Trained(ABC):
    """A selector that needs weights, and the width of the model's tokens, before it can run."""

    @abstractmethod
    def load(self, width: int, device: torch.device) -> Selector:
        """The selector with its weights.

        Args:
            width: of the model's visual tokens.
            device: where they are.

        Raises:
            ModelLoadFailed: saying what is wrong with the file.
            ConfigError: if the weights are for tokens of another width.
        """


@dataclass(frozen=True)
class TrainedCaCoVID(Trained):
    """CaCoVID: a part of the budget by a trained policy, the rest spread evenly.

    Args:
        weights: file of the policy; `untrained` says that it has learned nothing, as a control.
        by_policy: share of the budget that it decides.
    """

    weights: str
    by_policy: Annotated[float, Field(ge=0, le=1)] = 0.5
    method: Literal["cacovid"] = "cacovid"

    def load(self, width: int, device: torch.device) -> Selector:
        """See `Trained.load`."""
        return CaCoVID(_network(PolicyNetwork, self.weights, width, device), self.by_policy)


@dataclass(frozen=True)
class TrainedQTSplus(Trained):
    """QTSplus: the most relevant tokens, as many as a trained network finds needed.

    Args:
        weights: file of the network; `untrained` says that it has learned nothing, as a control.
    """

    weights: str
    method: Literal["qtsplus"] = "qtsplus"

    def load(self, width: int, device: torch.device) -> Selector:
        """See `Trained.load`."""
        return QTSplus(_network(QTSplusNetwork, self.weights, width, device))


TRAINED: Final = (TrainedCaCoVID, TrainedQTSplus)
CHOICES: Final = (
    *(one for one in SELECTORS if one.method not in {trained.method for trained in TRAINED}),
    *TRAINED,
)


def _network(kind: type[Network], weights: str, width: int, device: torch.device) -> Network:
    network = kind(Shape.small(width)) if weights == UNTRAINED else kind.load(Path(weights))
    if network.shape.width != width:
        raise ConfigError(
            f"answer.selector.weights: {weights} is for tokens {network.shape.width} wide, those "
            f"of the model are {width} wide"
        )
    return network.to(device).requires_grad_(False)
