"""Saving what a method remembers of a stream, and going on from it.

A state is None or a frozen dataclass whose fields are tensors, numbers, None, or such dataclasses
again. Any state of that form is saved and restored by the two functions here; methods write none.
"""

from __future__ import annotations

from dataclasses import fields, is_dataclass, replace

from torch import Tensor

from pruning.policy import State

Saved = dict[str, Tensor | int | float | bool]


def save(state: State) -> Saved:
    """The state as a flat dictionary; nested fields under dotted names, None left out.

    Raises:
        TypeError: if a field holds something else than the module says.
    """
    if state is None:
        return {}
    saved: Saved = {}
    for field in fields(state):
        value = getattr(state, field.name)
        if is_dataclass(value):
            saved |= {f"{field.name}.{name}": part for name, part in save(value).items()}
        elif isinstance(value, Tensor | int | float):
            saved[field.name] = value
        elif value is not None:
            raise TypeError(f"{field.name} of {type(state).__name__} is a {type(value).__name__}")
    return saved


def restore(start: State, saved: Saved) -> State:
    """The state that `save` was given.

    Args:
        start: what the policy's `start` returns; its form.
        saved: what `save` returned.

    Raises:
        ValueError: if `saved` holds a name that this state does not.
    """
    if start is None:
        if saved:
            raise ValueError(f"this method has no state, but {', '.join(sorted(saved))} was saved")
        return None
    nested = [f.name for f in fields(start) if is_dataclass(getattr(start, f.name))]
    values: dict[str, State] = {
        f.name: saved.get(f.name) for f in fields(start) if f.name not in nested
    }
    known = set(values)
    for name in nested:
        inside = [key for key in saved if key.startswith(f"{name}.")]
        parts = {key.removeprefix(f"{name}."): saved[key] for key in inside}
        values[name] = restore(getattr(start, name), parts)
        known |= set(inside)
    if unknown := sorted(set(saved) - known):
        raise ValueError(f"{type(start).__name__} has no {', '.join(unknown)}")
    return replace(start, **values)


def size(state: State) -> int:
    """Numbers that a state holds, tensors by their elements."""
    return sum(v.numel() if isinstance(v, Tensor) else 1 for v in save(state).values())
