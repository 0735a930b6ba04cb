"""A positive control of every method: what must survive because the method exists for it.

A control plants one token at a step and place of a bland stream. A method that does not look at
content says so with `BLIND`, and the laws then check that it does lose the plant.
"""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor

# Changes features [t, m, d] and attention [t, m] at (step, place), in place.
Plant = Callable[[Tensor, Tensor, int, int], None]


def odd_one(features: Tensor, attention: Tensor, step: int, place: int) -> None:
    """A token unlike all others, of its step and of the steps before."""
    features[step, place] = -5.0


def looked_at(features: Tensor, attention: Tensor, step: int, place: int) -> None:
    """A token that most of its step attends to; its features are like all others'."""
    attention[step] *= 0.2
    attention[step, place] += 0.8


def odd_and_looked_at(features: Tensor, attention: Tensor, step: int, place: int) -> None:
    """Both at once, for methods that look at attention only where something moves."""
    odd_one(features, attention, step, place)
    looked_at(features, attention, step, place)


def new_scene(features: Tensor, attention: Tensor, step: int, place: int) -> None:
    """A step unlike all others, the token in it; for methods that choose whole steps."""
    features[step] = -1.0


def typical(features: Tensor, attention: Tensor, step: int, place: int) -> None:
    """A token that is the mean of its step; for methods that keep one to stand for all."""
    features[step, place] = features[step].mean(dim=0)


BLIND = None

CONTROLS: dict[str, Plant | None] = {
    "none": BLIND,
    "uniform": BLIND,
    "random": BLIND,
    "first-of-2x2": BLIND,
    "vcast": odd_one,
    "vcast-offline": odd_one,
    "sharpv": odd_one,
    "sharpv-manual": odd_one,
    "sharpv-fixed": odd_one,
    "dtd": odd_one,
    "dtd-fixed": odd_one,
    "dtd-pixels": odd_one,
    "evs": odd_one,
    "evs-offline": odd_one,
    "dycoke": odd_one,
    "holitom": odd_and_looked_at,
    "curvestream": new_scene,
    "omnirefine": odd_one,
    "visionzip": looked_at,
    "divprune": odd_one,
    "stc": odd_one,
    "vidcom2": odd_one,
    "vidcom2-offline": odd_one,
    "videoscan": typical,
    "longvlm": odd_one,
    "fastvid": looked_at,
    "flashvid": looked_at,
    "prunevid": odd_one,
    "fluxmem": odd_one,
    "fluxmem-long": odd_one,
    "visionzip-stop": looked_at,
    "fastvid-stop": looked_at,
    "flashvid-stop": looked_at,
    "holitom-stop": odd_and_looked_at,
}
