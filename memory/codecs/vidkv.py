"""VidKV (arXiv 2503.16257), corrected: what its paper wants, at the bits it names.

Keys: the `share` widest channels (see `memory.codecs.channels`) in two asymmetric bits, the others
in one bit in a frequency domain along the channels. Values: ternary. All groups are `group` tokens
of one channel, for values too; the newest `residual` tokens and what fills no group stay as they
are. Defaults of the paper: share 0.5 ("1.5 bits"), group 32, residual 128, gamma 0.7.

Corrections, each against the release that `memory.codecs.vidkv_published` keeps to:

- one bit means -s or s (its 0 or s loses 0.82 of a Gaussian's norm instead of 0.59);
- ternary means -s, 0 or s with a true scale (its codes come back without any), and five trits take
  a byte (it gives each two bits);
- the frequency domain is a Hartley transform, as many numbers as there are channels (its Fourier
  transform keeps every number twice);
- nothing stores a zero that no decoder reads.

True bits at group 32, share 0.5: keys 0.5 (2 + 1) + 0.5 (1 + 0.5) = 2.25, values 1.6 + 0.5 = 2.1.

Deviations: the paper has the transform at shares of 0.5 and 0.75 only, ours at every share: signs
of a plain channel keep little of one that is far from zero. What the paper calls semantic token
protection, two bits for values that match the question, is left out: what is frozen is frozen
before there is a question.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Self

from memory.codecs.channels import MixedChannels
from memory.codecs.codec import Codec, Coder
from memory.codecs.grouping import PerChannel
from memory.codecs.minmax import MinMax
from memory.codecs.signs import Signs
from memory.codecs.tail import Newest, WithTail
from memory.codecs.ternary import Ternary
from memory.codecs.transform import Hartley, Transformed


@dataclass(frozen=True)
class VidKV(Codec):
    """Mixed keys, ternary values, both by channel.

    Args:
        share: of the channels whose keys get two bits, 0 to 1.
        group: tokens that share a scale.
        residual: newest tokens kept as they are; 0 for blocks that are no longer new.
        gamma: values up to gamma mean |v| become zero.
    """

    share: float = 0.5
    group: int = 32
    residual: int = 128
    gamma: float = 0.7
    method: Literal["vidkv"] = "vidkv"

    def __post_init__(self) -> None:
        check_parameters(self.share, self.group, self.residual, self.gamma)

    @classmethod
    def variants(cls) -> tuple[Self, ...]:
        """See `Codec.variants`."""
        return (cls(), cls(residual=0), cls(share=0.75, residual=0))

    @property
    def keys(self) -> Coder:
        """See `Codec.keys`."""
        wide = PerChannel(MinMax(2), self.group)
        narrow = Transformed(Hartley(), PerChannel(Signs(), self.group))
        return WithTail(MixedChannels(self.share, wide, narrow), Newest(self.residual, self.group))

    @property
    def values(self) -> Coder:
        """See `Codec.values`."""
        by_channel = PerChannel(Ternary(self.gamma), self.group)
        return WithTail(by_channel, Newest(self.residual, self.group))


def check_parameters(share: float, group: int, residual: int, gamma: float) -> None:
    """Refuse what no VidKV can work with.

    Raises:
        ValueError: if a parameter is out of range.
    """
    if not 0 <= share <= 1 or group < 1 or residual < 0 or not 0 <= gamma < 1:
        raise ValueError(
            "share lies in [0, 1], group is at least 1, residual at least 0, gamma in [0, 1)"
        )
