"""The messages of one conversation: what was asked and answered, bounded, as the model needs it."""

from __future__ import annotations

import uuid
from dataclasses import dataclass

from core.errors import InvalidRequest, NoQuestion, QuestionTooLong
from core.events import InputImage, Item
from stream.cameras.answer import Turn


@dataclass(frozen=True, slots=True)
class Asked:
    """A question and what came before it."""

    text: str
    images: tuple[str, ...]  # data URIs
    history: tuple[Turn, ...]
    instructions: tuple[str, ...]  # of system messages
    last_item_id: str | None = None  # the answer goes behind it; None: at the end


class Dialogue:
    """Messages in order; the oldest go when there are more than `limit`.

    Only the newest `max_images` pictures are kept, whatever messages they came with.

    Args:
        max_chars: of one message's text.
        max_images: of one message.
        limit: messages kept.
        max_turns: earlier turns, and system messages, handed to the model.
    """

    def __init__(
        self, *, max_chars: int, max_images: int, limit: int = 256, max_turns: int = 16
    ) -> None:
        self._max_chars = max_chars
        self._max_images = max_images
        self._limit = limit
        self._max_turns = max_turns
        self._items: list[Item] = []
        self._asked: set[str] = set()  # user messages that some answer was started for

    def accepted(self, item: Item) -> Item:
        """The item with an id, if it is acceptable.

        Raises:
            QuestionTooLong: if its text is.
            InvalidRequest: if it is empty, brings too many pictures, or its id is taken.
        """
        images = sum(isinstance(part, InputImage) for part in item.content)
        if len(item.text) > self._max_chars:
            raise QuestionTooLong(
                f"the text has {len(item.text)} characters, at most {self._max_chars} are allowed; "
                "shorten it"
            )
        if images > self._max_images:
            raise InvalidRequest(f"{images} pictures, at most {self._max_images} are allowed")
        if not item.text.strip() and not images:
            raise InvalidRequest("the message is empty; give it an input_text")
        if item.id and any(known.id == item.id for known in self._items):
            raise InvalidRequest(f"an item {item.id} is there already; leave out its id")
        return item if item.id else item.model_copy(update={"id": new_item_id()})

    def add(self, item: Item, after: str | None = None) -> tuple[str | None, list[str]]:
        """Put an accepted item behind another one or, without one, at the end.

        Returns:
            The id of the item before it, and the ids that had to go.

        Raises:
            InvalidRequest: if `after` is not there.
        """
        place = len(self._items) if after is None else self._place(after) + 1
        self._items.insert(place, item)
        before = self._items[place - 1].id if place else None
        self._forget_pictures()
        gone = [old.id for old in self._items[: -self._limit]]
        for old in gone:
            self.delete(old)
        return before, gone

    def replace(self, item: Item) -> None:
        """Change the item of the same id; nothing if it was deleted meanwhile."""
        self._items = [item if known.id == item.id else known for known in self._items]

    def delete(self, item_id: str) -> None:
        """Forget an item.

        Raises:
            InvalidRequest: if it is not there.
        """
        del self._items[self._place(item_id)]
        self._asked.discard(item_id)

    def has(self, item_id: str) -> bool:
        """Whether the item is there."""
        return any(item.id == item_id for item in self._items)

    def ask(self) -> Asked:
        """The user's messages that were not yet asked, or else the last one again.

        Raises:
            NoQuestion: if there is none.
        """
        users = [item for item in self._items if item.role == "user"]
        fresh = [item for item in users if item.id not in self._asked] or users[-1:]
        if not fresh:
            raise NoQuestion("there is no question: send conversation.item.create with one first")
        self._asked.update(item.id for item in fresh)
        before = self._items[: self._place(fresh[0].id)]
        return asked(fresh, before, self._max_turns, last_item_id=fresh[-1].id)

    def _forget_pictures(self) -> None:
        left = self._max_images
        for place in range(len(self._items) - 1, -1, -1):
            item = self._items[place]
            images = [part for part in item.content if isinstance(part, InputImage)]
            if len(images) > left:
                words = tuple(part for part in item.content if not isinstance(part, InputImage))
                self._items[place] = item.model_copy(update={"content": words})
            left = max(left - len(images), 0)

    def _place(self, item_id: str) -> int:
        for place, item in enumerate(self._items):
            if item.id == item_id:
                return place
        raise InvalidRequest(f"no item {item_id} in this conversation")


def asked(
    question: list[Item], before: list[Item], max_turns: int = 16, last_item_id: str | None = None
) -> Asked:
    """A question made of messages, with those before it as history."""
    turns = tuple(
        Turn("user" if item.role == "user" else "assistant", item.text)
        for item in before
        if item.role != "system" and item.text
    )
    instructions = tuple(item.text for item in before if item.role == "system" and item.text)
    return Asked(
        text="\n".join(item.text for item in question if item.text),
        images=tuple(
            part.image_url
            for item in question
            for part in item.content
            if isinstance(part, InputImage)
        ),
        history=turns[-max_turns:],
        instructions=instructions[-max_turns:],
        last_item_id=last_item_id,
    )


def new_item_id() -> str:
    """A fresh id."""
    return f"item_{uuid.uuid4().hex[:20]}"
