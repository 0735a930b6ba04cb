"""A card that is played: what would be wrong, or would wait, if a part of the tensors lay on one.

Everything is computed on the CPU. Tensors that a real run would have on the card are marked, and
what is made of them is marked too. Whoever names a device, or sends a
tensor there, says which: the card is `CARD`, which is the CPU under another name, and a marked
tensor says that it is there. So three things show without a
card: an operation that mixes both (a real card refuses it), a marked tensor that is read by NumPy
(refused too), and every place where the host would wait for the card.
"""

from __future__ import annotations

import traceback
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

HOUSE = Path(__file__).parents[1]
CARD = torch.device("cpu", 0)  # any other name of the CPU is the host
MARK = "_on_the_card"

_READS = {"item", "tolist", "__bool__", "__int__", "__float__", "__index__", "is_nonzero", "cpu"}
_COUNTS = {  # their result's size is not known before the card is done
    "nonzero", "argwhere", "masked_select", "unique", "unique_consecutive", "bincount",
    "equal", "allclose", "_unique2",
}  # fmt: skip
_REFUSED = {"numpy", "__array__"}
_SUBSCRIPT = {"__getitem__", "__setitem__"}
_COPIES = {"tensor", "as_tensor", "scalar_tensor"}
_ACROSS = {"copy_", "to", "type_as"}


def on_card(tensor: object) -> bool:
    """Whether a tensor would be on the card."""
    return isinstance(tensor, Tensor) and getattr(tensor, MARK, False)


def put_on_card(tensors: Iterable[Tensor]) -> None:
    """Say that these are there: weights, a pool."""
    for tensor in tensors:
        setattr(tensor, MARK, True)


class PlayedCard(TorchFunctionMode):
    """Counts waits and collects what a card would refuse. Use as a context manager.

    Attributes:
        waits: how often the host would wait, by operation and by the places in our code.
        refused: the same of what would raise.
        launches: operations on the card.
    """

    def __init__(self) -> None:
        super().__init__()
        self.waits: Counter[str] = Counter()
        self.refused: Counter[str] = Counter()
        self.launches = 0

    def forget(self) -> None:
        """Begin counting anew."""
        self.waits.clear()
        self.refused.clear()
        self.launches = 0

    def __torch_function__(
        self,
        func: Any,
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        """Do it, and look at it."""
        given = kwargs or {}
        name = getattr(func, "__name__", str(func))
        if func == torch.Tensor.device.__get__:
            return CARD if on_card(args[0]) else func(*args, **given)
        if name in ("__get__", "__set__"):
            result = func(*args, **given)
            self._mark(result, any(map(on_card, args)))
            return result
        tensors = list(_tensors((args, given)))
        there = [tensor for tensor in tensors if on_card(tensor)]
        here = [tensor for tensor in tensors if not on_card(tensor)]
        named = _device_of(name, args, given)
        if not there and named is None:
            return func(*args, **given)
        return self._on_card(func, name, args, given, there, here, named)

    def _on_card(
        self,
        func: Any,
        name: str,
        args: tuple[Any, ...],
        given: dict[str, Any],
        there: list[Tensor],
        here: list[Tensor],
        named: bool | None,
    ) -> Any:
        crosses = name in _ACROSS and not given.get("non_blocking", False)
        if named is False or name == "cpu":  # to the host
            if there:
                self._wait(name)
            result = func(*args, **given)
            return result.view_as(result) if isinstance(result, Tensor) and there else result
        if not there:  # made on the card, or sent there
            if name in _COPIES or (crosses and here):
                self._wait(f"{name} from the host")
            result = func(*args, **given)
            if any(result is one for one in here):
                result = result.view_as(result)
            self._mark(result, True)
            return result
        self.launches += 1
        if name in _READS or name in _COUNTS or (name == "where" and len(args) == 1):
            self._wait(name)
        elif name in _REFUSED:
            self._refuse(f"{name} of a tensor on the card")
        elif name in _SUBSCRIPT:
            self._look_at_subscript(name, args)
        elif name in _ACROSS:
            if crosses and here:
                self._wait(name)
        elif name == "repeat_interleave" and "output_size" not in given and len(there) > 1:
            self._wait(name)
        elif any(tensor.ndim for tensor in here):
            self._refuse(f"{name} of tensors on card and host")
        result = func(*args, **given)
        self._mark(result, True)
        return result

    def _look_at_subscript(self, name: str, args: tuple[Any, ...]) -> None:
        target, index = args[0], args[1]
        parts = index if isinstance(index, tuple) else (index,)
        for part in parts:
            if not isinstance(part, Tensor):
                continue
            if on_card(part):
                if not on_card(target):
                    self._refuse(f"{name}: the host's tensor by the card's index")
                elif part.dtype == torch.bool and part.ndim:
                    self._wait(f"{name} by a mask")
                elif part.ndim == 0 and part.dtype != torch.bool:
                    self._wait(f"{name} by a number")
            elif part.ndim:
                self._wait(f"{name} by the host's index")
        value = args[2] if name == "__setitem__" else None
        if isinstance(value, Tensor) and value.ndim and on_card(value) != on_card(target):
            self._wait(f"{name} across")

    def _mark(self, result: Any, there: bool) -> None:
        if there:
            put_on_card(_tensors(result))

    def _wait(self, what: str) -> None:
        self.waits[f"{what} at {_place()}"] += 1

    def _refuse(self, what: str) -> None:
        self.refused[f"{what} at {_place()}"] += 1


def _device_of(name: str, args: tuple[Any, ...], given: dict[str, Any]) -> bool | None:
    """Where an operation is told to put its result: True the card, False the host, None unsaid."""
    named = given.get("device")
    if named is None and name == "to":
        named = next((one for one in args[1:] if isinstance(one, str | torch.device)), None)
        if named is None and len(args) > 1 and isinstance(args[1], Tensor):
            return on_card(args[1])
    if named is None:
        return None
    return torch.device(named) == CARD


def _tensors(found: Any) -> Iterator[Tensor]:
    if isinstance(found, Tensor):
        yield found
    elif isinstance(found, dict):
        for value in found.values():
            yield from _tensors(value)
    elif isinstance(found, list | tuple):
        for value in found:
            yield from _tensors(value)


def _place() -> str:
    frames = [
        f"{Path(frame.filename).relative_to(HOUSE)}:{frame.lineno}"
        for frame in traceback.extract_stack()
        if frame.filename.startswith(str(HOUSE))
        and ".venv" not in frame.filename
        and "/tests/" not in frame.filename
    ]
    return " < ".join(reversed(frames[-3:]))
