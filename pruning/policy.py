"""The contract every pruning method meets while frames arrive.

A policy is a frozen dataclass: its fields are the method's parameters, and it holds nothing about
any stream. What a method must remember of the past travels in a state that the caller keeps and
hands back (`pruning.online` does). Methods return rows and, if they merge, which rows flow into
which; never tensors of features, so none of them can forget the grid index or the DeepStack rows.

No method here ever sees a question: what is dropped now is lost for every later one. What chooses
by question, from what was kept, is in `pruning.selectors`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, fields, is_dataclass
from enum import Enum
from typing import Any, ClassVar, NamedTuple, Self

import torch
from torch import Tensor

from core.tokens import Grid, Merge, VisualTokens

State = Any  # a method's own: None or a frozen dataclass (see `pruning.state`); never changed


class Spending(Enum):
    """How a method treats the budget."""

    EXACT = "exactly the budget in every call"
    LONG_RUN = "more or less now, the budget in the long run"
    OWN = "what the method itself finds right; what was kept is measured"


@dataclass(frozen=True, slots=True, eq=False)
class Seen:
    """What a method decides about: some temporal steps in float32, dense, with finite features."""

    features: Tensor  # float32 [t, m, d]; read only
    grid: Grid
    attention: Tensor | None = None  # float32 [t, m], each step sums to 1; set if `needs_attention`
    ahead: Tensor | None = None  # float32 [a, m, d], steps after these, a <= delay; None at the end
    pixels: Tensor | None = None  # uint8 [t, m, f, p], of each step's f frames; if `needs_pixels`

    @property
    def steps(self) -> int:
        """Temporal steps to decide about."""
        return self.grid.t

    @property
    def per_step(self) -> int:
        """Visual tokens of each."""
        return self.grid.per_step

    @property
    def received(self) -> Tensor:
        """The attention, float32 [t, m], for methods that declare `needs_attention`."""
        assert self.attention is not None, "`keep` refuses tokens without it"
        return self.attention

    @property
    def shown(self) -> Tensor:
        """The pixels, uint8 [t, m, f, p], for methods that declare `needs_pixels`."""
        assert self.pixels is not None, "`keep` refuses tokens without them"
        return self.pixels


class Kept(NamedTuple):
    """A method's decision about some temporal steps."""

    rows: Tensor  # int64 [k], strictly increasing
    state: State
    merge: Merge | None = None


class PruningPolicy(ABC):
    """Chooses which visual tokens of a few temporal steps are kept.

    Laws, tested for every method in `pruning.registry`: rows are strictly increasing and in range;
    at least one per temporal step; as many as `spending` says; all rows when the budget covers all
    (unless the method spends as it finds right); deterministic; inputs unchanged; features that are
    not finite are refused; what comes later changes nothing that was decided, beyond `delay` steps;
    the state never grows, and can be saved and restored.

    Subclasses are frozen dataclasses of parameters with defaults, the last one `method`.
    """

    # Pydantic reads this: an unknown field in a configuration is refused, not ignored.
    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}

    method: str  # its name in configurations and tables; subclasses say Literal["..."] = "..."

    spending: ClassVar[Spending] = Spending.EXACT
    # Whether each step is decided by what came before alone, so that how a stream is cut into
    # segments changes nothing. Else a segment is decided as a whole.
    stepwise: ClassVar[bool] = True
    needs_attention: ClassVar[bool] = False  # of the last vision block, in `VisualTokens.attention`
    needs_pixels: ClassVar[bool] = False  # what lies under each token, in `VisualTokens.pixels`

    @property
    def delay(self) -> int:
        """Temporal steps that must have been seen after a step before it can be decided."""
        return 0

    @property
    def label(self) -> str:
        """The method with every parameter that is not its default; for tables."""
        assert is_dataclass(self)
        values = {f.name: (getattr(self, f.name), f.default) for f in fields(self)}
        changed = [f"{name}={value}" for name, (value, usual) in values.items() if value != usual]
        return f"{self.method}({', '.join(changed)})" if changed else self.method

    @classmethod
    def variants(cls) -> tuple[Self, ...]:
        """The settings that tests hold to the laws and tables compare; the default first."""
        return (cls(),)

    def start(self) -> State:
        """The state before the first temporal step of a stream."""
        return None

    def keep(
        self, tokens: VisualTokens, budget: int, state: State, following: VisualTokens | None = None
    ) -> Kept:
        """Decide about all steps of `tokens`.

        Args:
            tokens: dense, n == t * h * w rows.
            budget: visual tokens to keep of all these steps together, at least one per step.
            state: what `start` or the call before returned.
            following: the next `delay` steps, fewer or None where the stream ends.

        Raises:
            ValueError: if tokens were pruned before, are not finite, lack the attention or the
                pixels that the method needs, or the budget is too low.
        """
        if self.spending is not Spending.OWN and budget < tokens.grid.t:
            raise ValueError(
                f"a budget of {budget} leaves some of {tokens.grid.t} temporal steps empty"
            )
        features = _dense(tokens)
        ahead = None if following is None else _dense(following)
        attention, pixels = self._attention(tokens), self._pixels(tokens)
        seen = Seen(features, tokens.grid, attention, ahead, pixels)
        kept = self.decide(seen, min(budget, len(tokens)), state)
        if self.spending is not Spending.OWN and budget >= len(tokens):
            return Kept(torch.arange(len(tokens), device=tokens.features.device), kept.state)
        return kept

    @abstractmethod
    def decide(self, seen: Seen, budget: int, state: State) -> Kept:
        """The method itself: what `keep` promises, for checked input.

        Args:
            seen: the steps.
            budget: of visual tokens for all these steps, at most as many as there are.
            state: what `start` or the call before returned.
        """

    def _attention(self, tokens: VisualTokens) -> Tensor | None:
        if not self.needs_attention:
            return None
        if tokens.attention is None:
            raise ValueError(f"{self.method} needs the attention of the last vision block")
        attention = tokens.attention.detach().float()
        if not bool(torch.isfinite(attention).all()):
            raise ValueError("the attention of visual tokens holds NaN or infinity")
        return attention.reshape(tokens.grid.t, tokens.grid.per_step)

    def _pixels(self, tokens: VisualTokens) -> Tensor | None:
        if not self.needs_pixels:
            return None
        if tokens.pixels is None:
            raise ValueError(f"{self.method} needs the pixels under the visual tokens")
        return tokens.pixels.reshape(tokens.grid.t, tokens.grid.per_step, *tokens.pixels.shape[1:])


def _dense(tokens: VisualTokens) -> Tensor:
    """Features in float32, [t, h * w, d], after refusing what no method can decide on."""
    if len(tokens) != tokens.grid.t * tokens.grid.per_step:
        raise ValueError(f"{len(tokens)} tokens on grid {tokens.grid}: prune dense tokens only")
    features = tokens.features.detach().float()
    if not bool(torch.isfinite(features).all()):
        raise ValueError("visual tokens hold NaN or infinity")
    return features.reshape(tokens.grid.t, tokens.grid.per_step, -1)
