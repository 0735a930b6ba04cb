"""Groups held against their truths."""

from __future__ import annotations

from dataclasses import dataclass

from evaluation.paired.groups import Group
from evaluation.paired.reading import Reader


@dataclass(frozen=True, slots=True)
class Judged:
    """A group and what was made of it.

    Args:
        group: with its truths and replies.
        said: the choice each reply names, None where it names none; in the order of the items.
        right: whether each is the truth; `group.size` of them, all False in an incomplete group.
    """

    group: Group
    said: tuple[str | None, ...]
    right: tuple[bool, ...]

    @property
    def all(self) -> bool:
        """Whether every answer is right."""
        return all(self.right)

    @property
    def unreadable(self) -> list[str]:
        """Places of the replies that name no choice."""
        pairs = zip(self.group.items, self.said, strict=True)
        return [item.place for item, said in pairs if said is None and item.answer is not None]


def judge(group: Group, reader: Reader) -> Judged:
    """Read the replies of a group and hold them against the truths.

    Nothing in an incomplete group is right: what is there may have been left over by choice.
    """
    said = tuple(
        None if item.answer is None else reader(item.answer, item.choices) for item in group.items
    )
    if not group.complete:
        return Judged(group, said, (False,) * group.size)
    right = tuple(choice == item.truth for choice, item in zip(said, group.items, strict=True))
    return Judged(group, said, right)
