"""Phases two and three: answers to questions about pictures, then about streams.

The loss is the cross-entropy of the answers, and a pull on a few attention heads towards what the
question means: finding a thing by its name is the step that answers alone teach too slowly. While
the eye is still, its outputs carry no gradient. Throw-away heads on middle layers ask, of every
visual token, what happened just now to the thing it shows, and of every step's end, what happened
in the step and what appeared last: events are rare.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from typing import Any, Final

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from transformers import Cache, DynamicCache, Qwen3VLForConditionalGeneration

from pruning.vcast import anchors
from training.architecture import PER_STEP, SIDE
from training.clips import Batch, ClipMaker, Recipe
from training.eye import see
from training.film import Darkroom
from training.labels import KINDS, NOUNS
from training.layout import (
    SILENT,
    Memories,
    Questions,
    Tongue,
    memory_mask,
    positions,
    question_mask,
)
from worlds.questions.catalog import MAKERS
from worlds.vocabulary import COLOURS

_SPLIT: Final = [len(COLOURS) + 1, len(NOUNS) + 1]
_WORDS: Final = sum(_SPLIT)
_TASKS: Final = list(MAKERS)
_EVENT_LAYER: Final = 3  # decoder layers passed when the heads look
_START_LAYER: Final = 2
_NEWEST_LAYER: Final = 4
_HEAD_WEIGHT: Final = 0.3
_NOTHING_WEIGHT: Final = 0.2  # of the answer that nothing happened: it is right too often
# Decoder layers, and how many of their heads, that learn where to look: one finds what is meant,
# the other, where a model is deep enough, reads what earlier layers wrote there, such as the time.
_LOOKING: Final = ((2, 3), (4, 2))
_LOOK_WEIGHT: Final = 0.1
_NAME_WEIGHT: Final = 0.1
_WORD_WEIGHT: Final = (
    0.05  # light: at full weight it keeps the model from learning where things are
)
_DIGIT_WEIGHT: Final = 0.3


class StreamPhase(nn.Module):
    """A phase of questions about clips.

    Args:
        name: of the phase.
        model: learns.
        tongue: the tokenizer.
        recipe: what clips look like.
        eye: learning rate factor of the vision tower; 0 keeps it as it is.
        room: turns films into pixels on the device that learns.
    """

    def __init__(
        self,
        name: str,
        model: Qwen3VLForConditionalGeneration,
        tongue: Tongue,
        recipe: Recipe,
        eye: float,
        room: Darkroom,
    ) -> None:
        super().__init__()
        self.name, self.model, self.tongue, self.eye = name, model, tongue, eye
        self._room = room
        self._maker = ClipMaker(tongue, recipe, room.draws)
        self._judges_events = recipe.steps[1] > 1
        width = model.config.text_config.hidden_size
        self.names = nn.Linear(width, _WORDS)
        self.happening = nn.Linear(width, len(KINDS) + 1)
        self.news = nn.Linear(width, len(KINDS) + 1 + _WORDS)
        self.newest = nn.Linear(width, _WORDS)
        self.digits = nn.Linear(width, 30)
        for head in (self.names, self.happening, self.news, self.newest, self.digits):
            head.to(room.device)

    def groups(self) -> list[dict[str, Any]]:
        """Parameters by learning rate factor."""
        language = [*self.model.model.language_model.parameters()]
        heads = [*self.names.parameters()]
        if self._judges_events:
            events = (self.happening, self.news, self.newest, self.digits)
            heads += [p for head in events for p in head.parameters()]
        groups: list[dict[str, Any]] = [{"params": language + heads}]
        if self.eye:
            groups.append({"params": [*self.model.model.visual.parameters()], "factor": self.eye})
        return groups

    def data(self, seed: int) -> Iterator[Batch]:
        """Batches without end, from `seed`."""
        rng = np.random.default_rng([seed, 2 if self._judges_events else 3])
        while True:
            yield self._maker.batch(rng)

    def loss(self, batch: Batch) -> tuple[Tensor, dict[str, float]]:
        """The loss of one batch, and how many answers were right word for word."""
        with nullcontext() if self.eye else torch.no_grad():
            features, taps = see(self.model, self._room.develop(batch.film))
        keep = kept(features, batch)
        cache, states, visual = self._remember(batch.memories, features, taps, keep)
        loss, measures = self._answers(batch, cache, keep)
        extra, more = self._words(states, batch, visual, keep)
        loss, measures = loss + extra, measures | more
        if self._judges_events:
            extra, more = self._events(states, batch, visual, keep)
            loss, measures = loss + _HEAD_WEIGHT * extra, measures | more
            extra, more = self._times(states, batch, visual, keep)
            loss, measures = loss + _DIGIT_WEIGHT * extra, measures | more
        return loss, measures

    def _remember(
        self, memories: Memories, features: Tensor, taps: list[Tensor], keep: Tensor
    ) -> tuple[Cache, tuple[Tensor, ...], Tensor]:
        """Keys and values of the clips, hidden states, and where visual tokens stand."""
        language = self.model.model.language_model
        where = keep.nonzero()[:, 1]
        visual = memories.ids == self.tongue.visual
        embeds = language.embed_tokens(memories.ids)
        embeds = embeds.masked_scatter(visual[..., None], features[keep].to(embeds.dtype))
        out = language(
            inputs_embeds=embeds,
            position_ids=positions(memories, visual, where // SIDE, where % SIDE),
            attention_mask=memory_mask(memories),
            visual_pos_masks=visual,
            deepstack_visual_embeds=[tap[keep] for tap in taps],
            past_key_values=DynamicCache(config=language.config),
            use_cache=True,
            output_hidden_states=True,
        )
        return out.past_key_values, (*out.hidden_states[:-1], out.last_hidden_state), visual

    def _ask(
        self, memories: Memories, questions: Questions, memory: Cache
    ) -> tuple[Tensor, Tensor, Tensor]:
        """All questions asked of their clips' memories.

        Returns:
            last hidden states [b, m, d], those before the first layer of `_LOOKING`, and where its
            heads look [b, h, m, l + m].
        """
        language = self.model.model.language_model
        snapshots = DynamicCache(config=language.config)
        for number, layer in enumerate(memory.layers):
            snapshots.update(layer.keys, layer.values, number)
        out = language(
            inputs_embeds=language.embed_tokens(questions.ids),
            position_ids=questions.position.expand(3, -1, -1),
            attention_mask=question_mask(memories, questions),
            past_key_values=snapshots,
            use_cache=True,
            output_attentions=True,
            output_hidden_states=True,
        )
        return (
            out.last_hidden_state,
            out.hidden_states[_LOOKING[0][0]],
            torch.cat(
                [
                    out.attentions[layer][:, :heads]
                    for layer, heads in _LOOKING
                    if layer < len(out.attentions)
                ],
                dim=1,
            ),
        )

    def _answers(
        self, batch: Batch, memory: Cache, keep: Tensor
    ) -> tuple[Tensor, dict[str, float]]:
        questions = batch.questions
        said = questions.target != SILENT
        hidden, early, looking = self._ask(batch.memories, questions, memory)
        looked = self._looked_at(looking, batch.memories, questions, keep)
        logits = self.model.lm_head(hidden[said]).float()
        wanted = questions.target[said]
        loss = F.cross_entropy(logits, wanted)
        named = questions.names[questions.number[said]]
        loss = loss + _NAME_WEIGHT * _by_name(self.names(early[said]).float(), named)
        if len(looked):
            loss = loss - _LOOK_WEIGHT * (looked + 1e-4).log().mean()
        right = (logits.argmax(1) == wanted).float()
        whole = _all_right(said, right)
        task = questions.task[questions.number[_begins(said)]]
        asked = torch.tensor([float(len(whole))])
        measures = {"tokens": right, "answers": whole, "looked": looked.detach(), "asked": asked}
        for number in set(task.tolist()):
            measures[_TASKS[number]] = whole[task == number]
        return loss, {k: float(v.mean()) for k, v in measures.items()}

    def _looked_at(
        self, looking: Tensor, memories: Memories, questions: Questions, keep: Tensor
    ) -> Tensor:
        """Which share of the attention lies on what is meant, for every place that answers, [k].

        Args:
            looking: [b, h, m, l + m].
            memories: the clips.
            questions: asked of them.
            keep: bool [b * steps, 36], the visual tokens that stayed.
        """
        said = questions.target != SILENT
        steps = memories.ends.shape[1]
        stayed = keep.reshape(-1, steps * PER_STEP)[questions.clip]  # [n, steps * 36]
        visual = memories.ids[questions.clip] == self.tongue.visual  # [n, l]
        meant = torch.zeros(visual.shape, device=visual.device)
        meant.masked_scatter_(visual, questions.about[stayed].float())
        judged = said & meant.any(1)[questions.number]  # [b, m]; padding says nothing
        rows = looking.transpose(1, 2)[judged][..., : visual.shape[1]].float()  # [k, h, l]
        return (rows * meant[questions.number[judged], None]).sum(-1).flatten()

    def _words(
        self, states: tuple[Tensor, ...], batch: Batch, visual: Tensor, keep: Tensor
    ) -> tuple[Tensor, dict[str, float]]:
        """Of every visual token that shows something: its noun, as it is said."""
        word = batch.words[keep]
        shown = word != SILENT
        logits = self.model.lm_head(states[-1][visual][shown]).float()
        loss = _WORD_WEIGHT * torch.nan_to_num(F.cross_entropy(logits, word[shown]))
        measures = {"word": float((logits.argmax(1) == word[shown]).float().mean())}
        return loss, measures

    def _times(
        self, states: tuple[Tensor, ...], batch: Batch, visual: Tensor, keep: Tensor
    ) -> tuple[Tensor, dict[str, float]]:
        """The time of a step, asked of its <|vision_start|> and then of its visual tokens."""
        starts = batch.memories.ids == self.tongue.vision_start  # one of each step
        first, started = self._digits(states[_START_LAYER][starts], batch.digits)
        wanted = batch.digits[keep.nonzero()[:, 0]]
        loss, right = self._digits(states[_NEWEST_LAYER][visual], wanted)
        return first + loss, {"start": started, "digit": right}

    def _digits(self, states: Tensor, wanted: Tensor) -> tuple[Tensor, float]:
        """Loss and share of right ones of the digits [k, 3] read from states [k, d]."""
        read = self.digits(states).float().unflatten(1, (3, 10))
        loss = F.cross_entropy(read.flatten(0, 1), wanted.flatten())
        return loss, float((read.argmax(2) == wanted).float().mean())

    def _events(
        self, states: tuple[Tensor, ...], batch: Batch, visual: Tensor, keep: Tensor
    ) -> tuple[Tensor, dict[str, float]]:
        happening = self.happening(states[_EVENT_LAYER][visual]).float()
        truth = batch.events[keep]
        weight = torch.ones(len(KINDS) + 1, device=truth.device)
        weight[0] = _NOTHING_WEIGHT
        loss = torch.nan_to_num(F.cross_entropy(happening, truth, weight, ignore_index=SILENT))
        ends = batch.memories.ends[..., None].expand(-1, -1, states[0].shape[-1])
        at_ends = states[_NEWEST_LAYER].gather(1, ends).flatten(0, 1)
        kinds, colour, noun = self.news(at_ends).float().split([len(KINDS) + 1, *_SPLIT], dim=1)
        news = batch.news.flatten(0, 1)
        loss = loss + _told((kinds, colour, noun), news, (weight, None, None))
        first, second = self.newest(at_ends).float().split(_SPLIT, dim=1)
        known = batch.newest.flatten(0, 1)
        loss = loss + _told((first, second), known, (None, None))
        new, told, sure = truth > 0, news[:, 0] > 0, known[:, 0] > 0
        return loss, {
            "event": _hits(happening[new], truth[new]),
            "news": _hits(kinds[told], news[told, 0]),
            "newest": _hits(first[sure], known[sure, 0]),
        }


def _told(logits: Sequence[Tensor], truth: Tensor, weights: Sequence[Tensor | None]) -> Tensor:
    """The sum of the cross-entropies of several things told, each over what is known of it."""
    each = (
        F.cross_entropy(told, wanted, weight, ignore_index=SILENT)
        for told, wanted, weight in zip(logits, truth.unbind(1), weights, strict=True)
    )
    return torch.stack([torch.nan_to_num(one) for one in each]).sum()


def _hits(logits: Tensor, truth: Tensor) -> float:
    return float((logits.argmax(1) == truth).float().mean())


def kept(features: Tensor, batch: Batch) -> Tensor:
    """Which visual tokens stay, bool [b * steps, 36]: by V-CAST's score, or by chance.

    Args:
        features: [b * steps, 36, d].
        batch: how many of each step, and by which of the two.
    """
    rough = features.detach().float()
    scores = anchors(rough, F.normalize(rough.mean(1), dim=-1))  # [steps, 36]
    steps = len(scores) // len(batch.chosen)
    by_score = batch.chosen.repeat_interleave(steps)[:, None]
    scores = torch.where(by_score, scores, torch.rand(len(scores), PER_STEP, device=scores.device))
    rank = scores.argsort(dim=1, descending=True, stable=True).argsort(dim=1)
    return rank < batch.counts[:, None]


def _by_name(logits: Tensor, truth: Tensor) -> Tensor:
    """Cross-entropy of the colour and noun that questions name.

    Args:
        logits: [k, colours + nouns + 2].
        truth: int64 [k, 2].
    """
    colour, noun = torch.split(logits, _SPLIT, dim=1)
    total = F.cross_entropy(colour, truth[:, 0], ignore_index=SILENT)
    return torch.nan_to_num(total + F.cross_entropy(noun, truth[:, 1], ignore_index=SILENT))


def _all_right(said: Tensor, right: Tensor) -> Tensor:
    """For each answer, a run of places in `said`, 1 if every token is right, else 0."""
    begins = _begins(said)
    number = begins.flatten().cumsum(0)[said.flatten()] - 1
    wrong = torch.zeros(int(number[-1]) + 1, device=right.device).index_add_(0, number, 1 - right)
    return (wrong == 0).float()


def _begins(said: Tensor) -> Tensor:
    """Where answers begin, bool [n, m]."""
    begins = said.clone()
    begins[:, 1:] &= ~said[:, :-1]
    return begins
