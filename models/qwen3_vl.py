"""Qwen3-VL over transformers: the same code for a Hugging Face id, a folder and the embedded model.

Nothing in transformers is patched: attention comes in through `AttentionInterface`, the rotary
module of the loaded model is replaced by ours, positions are passed explicitly (the model's own
`rope_deltas` state is never touched), the vision tower is called on its own, and the language model
takes embeddings with DeepStack rows for the kept visual tokens.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from transformers import PreTrainedTokenizerBase, Qwen3VLForConditionalGeneration

from core.frames import Frame, Segment
from core.sending import sent
from core.tokens import Grid, VisualTokens
from memory.pool import KVShape
from memory.readers.reader import Plan
from models import attention as functions
from models.attention import Received
from models.deepstack import deepened
from models.layout import Chunk, join, text_positions, vision_positions, weave
from models.likeness import compared
from models.pictures import Pictures, pictures_for
from models.preprocess import cells, fit_size
from models.rotary import ExactRotary
from models.tower import FlatPatches, Places
from models.vlm import ModelInfo, VideoLanguageModel

MARKERS = 24  # tokens of a timestamp (up to years of seconds) and the two vision markers
OPENING: Final = "<|im_start|>assistant\n"
SYSTEM = "You watch a live camera and answer questions about it."


SILENCE: Final = "<|silent|>"


class Qwen3VL(VideoLanguageModel):
    """A loaded Qwen3-VL checkpoint.

    Args:
        model: in eval mode, on its device; its attention, its rotary module and the one that embeds
            patches are set here.
        tokenizer: with Qwen's special tokens.
        info: what people are told.
        min_pixels: smallest picture area fed to the vision tower.
        max_pixels: largest.
        pictures: how frames become patches; None: what suits the device.
    """

    def __init__(
        self,
        model: Qwen3VLForConditionalGeneration,
        tokenizer: PreTrainedTokenizerBase,
        info: ModelInfo,
        *,
        min_pixels: int,
        max_pixels: int,
        pictures: Pictures | None = None,
    ) -> None:
        functions.register()
        model.set_attn_implementation(
            {"text_config": functions.TEXT, "vision_config": functions.VISION}
        )
        language = model.model.language_model
        language.rotary_emb = rotary = ExactRotary(language.rotary_emb)
        self.rotation = rotary.rotation()
        tower = model.model.visual
        tower.patch_embed = FlatPatches(tower.patch_embed)
        self._places = Places(tower, model.device)
        self._pictures = pictures or pictures_for(model.device)
        self._model = model
        self._words = model.get_input_embeddings()  # looking for it takes longer than using it
        self._tokenizer = tokenizer
        self._pixels = (min_pixels, max_pixels)
        vision, text = model.config.vision_config, model.config.text_config
        self._patch: int = vision.patch_size
        self._merge: int = vision.spatial_merge_size
        self._temporal: int = vision.temporal_patch_size
        self.info = info
        self.device = model.device
        self.shape = KVShape(
            text.num_hidden_layers, text.num_key_value_heads, text.head_dim, model.dtype
        )
        self.reach = text.max_position_embeddings
        self.stop_ids = _stop_ids(model, tokenizer)
        self.opening_tokens = len(self._ids(OPENING))
        self.silence = tokenizer.get_vocab().get(SILENCE)
        own: dict[str, float] = getattr(model.generation_config, "lookout", {})
        self.silence_bias = float(own.get("silence_bias", 0.0))
        self.frames_per_step = self._temporal
        self.marker_tokens = MARKERS
        self.max_step_tokens = max_pixels // (self._patch * self._merge) ** 2 + MARKERS
        self._vision_start = self._id("<|vision_start|>")
        self._vision_end = self._id("<|vision_end|>")

    @torch.inference_mode()
    def encode(
        self,
        segments: Sequence[Segment],
        *,
        attention: bool = False,
        pixels: bool = False,
        size: tuple[int, int] | None = None,
    ) -> list[VisualTokens]:
        """See `VideoLanguageModel.encode`. An odd last frame is repeated to fill its step."""
        patches, grids = zip(*(self._patchify(s.frames, size) for s in segments), strict=True)
        received = Received(self._model.model.visual.blocks[-1].attn) if attention else None
        features, deepstack = self._see(torch.cat(patches), torch.cat(grids), received)
        shares: Sequence[Tensor | None] = [None] * len(segments)
        if received is not None:
            shares = torch.split(received.per_token(self._merge**2), [len(f) for f in features])
        levels = zip(*deepstack, strict=True) if deepstack else ((),) * len(segments)
        under = [self._under(values) if pixels else None for values in patches]
        seen = zip(segments, grids, features, levels, shares, under, strict=True)
        return [
            VisualTokens(
                features=f,
                index=torch.arange(len(f)),
                grid=self._grid(g),
                times=self._times(segment),
                deepstack=tuple(level),
                attention=share,
                pixels=shown,
            )
            for segment, g, f, level, share, shown in seen
        ]

    @torch.inference_mode()
    def encode_image(self, pixels: NDArray[np.uint8]) -> VisualTokens:
        """See `VideoLanguageModel.encode_image`."""
        values, grid = self._patchify([Frame(0.0, 0.0, pixels)])
        features, deepstack = self._see(values, grid)
        rows = torch.arange(len(features[0]))
        levels = tuple(level[0] for level in deepstack)
        return VisualTokens(features[0], rows, self._grid(grid), (0.0,), levels)

    def prefix(self, position: int = 0) -> Chunk:
        """See `VideoLanguageModel.prefix`: the system turn and the opening of the user's."""
        text = f"<|im_start|>system\n{SYSTEM}<|im_end|>\n<|im_start|>user\n"
        return self.lay_text(self._ids(text), position)

    @torch.inference_mode()
    def lay_steps(self, tokens: VisualTokens, position: int) -> Chunk:
        """See `VideoLanguageModel.lay_steps`."""
        stamps = [self._ids(f"<{time:.1f} seconds>") for time in tokens.times]
        return self._lay_pictures(tokens, stamps, tokens.times, position)

    @torch.inference_mode()
    def lay_image(self, tokens: VisualTokens, position: int) -> Chunk:
        """See `VideoLanguageModel.lay_image`."""
        return self._lay_pictures(tokens, [[]], [math.nan], position)

    @torch.inference_mode()
    def lay_text(self, ids: Sequence[int], position: int) -> Chunk:
        """See `VideoLanguageModel.lay_text`."""
        embeds = self._embed(ids)
        n = len(embeds)
        return Chunk(
            embeds,
            text_positions(position, n),
            torch.zeros(n, dtype=torch.bool),
            (),
            torch.full((n,), float("nan"), dtype=torch.float64),
            position + n,
        )

    def question_ids(
        self, text: str, history: Sequence[tuple[str, str]], instructions: str
    ) -> list[int]:
        """See `VideoLanguageModel.question_ids`; the user turn was opened by the prefix."""
        ids = self._said(f"{instructions.strip()}\n") if instructions.strip() else []
        speaker = "user"
        for place, (role, said) in enumerate([*history, ("user", text)]):
            if role != speaker:
                ids += self._ids(f"<|im_end|>\n<|im_start|>{role}\n")
                speaker = role
            elif place:
                ids += self._ids("\n")
            ids += self._said(said.strip())
        return ids + self._ids(f"<|im_end|>\n{OPENING}")

    def detokenize(self, ids: Sequence[int]) -> str:
        """See `VideoLanguageModel.detokenize`."""
        text: str = self._tokenizer.decode(list(ids), skip_special_tokens=True)
        return text

    @torch.inference_mode()
    def forward(self, chunks: Sequence[Chunk], plan: Plan) -> Tensor:
        """See `VideoLanguageModel.forward`."""
        packed = join(list(chunks))
        language = self._model.model.language_model
        with compared(language.layers, packed, plan), deepened(language.layers, packed):
            hidden = language(
                inputs_embeds=packed.embeds[None],
                position_ids=sent(packed.positions[:, None], self.device),
                use_cache=False,
                plan=plan,
            ).last_hidden_state[0]  # [n, d]
        last = sent(torch.tensor([span.stop - 1 for span in plan.spans]), self.device)
        logits: Tensor = self._model.lm_head(hidden[last]).float()
        return logits

    def weights(self) -> Iterator[tuple[str, Tensor]]:
        """See `VideoLanguageModel.weights`."""
        # What is saved, and nothing that is computed when it is loaded, on whatever device.
        yield from self._model.state_dict().items()

    @torch.inference_mode()
    def decode(self, embeds: Tensor, positions: Tensor, plan: Plan) -> Tensor:
        """See `VideoLanguageModel.decode`."""
        hidden = self._model.model.language_model(
            inputs_embeds=embeds[None], position_ids=positions[:, None], use_cache=False, plan=plan
        ).last_hidden_state[0]  # [n, d]
        logits: Tensor = self._model.lm_head(hidden).float()
        return logits

    def step_tokens(self, height: int, width: int) -> int:
        """See `VideoLanguageModel.step_tokens`."""
        rows, columns = self._fit(height, width)
        cell = self._patch * self._merge
        return (rows // cell) * (columns // cell)

    def _lay_pictures(
        self,
        tokens: VisualTokens,
        before: Sequence[list[int]],
        times: Sequence[float],
        position: int,
    ) -> Chunk:
        """For each step: text, vision_start, its visual tokens, vision_end; embedded in one go."""
        _, h, w = tokens.grid
        cells = torch.split(tokens.index % (h * w), tokens.counts())
        ids: list[int] = []
        positions: list[Tensor] = []
        for text, seen in zip(before, cells, strict=True):
            opening = [*text, self._vision_start]
            base = position + len(opening)
            ids += [*opening, self._vision_end]
            positions.append(text_positions(position, len(opening)))
            positions.append(vision_positions(base, seen, w))
            positions.append(text_positions(base + max(h, w), 1))
            position = base + max(h, w) + 1
        sizes = [places.shape[1] for places in positions]
        visual = torch.tensor([False, True, False] * len(cells))
        steps = torch.tensor(times, dtype=torch.float64).repeat_interleave(3)
        lengths = torch.tensor(sizes)
        return Chunk(
            weave(self._embed(ids), tokens.features, sizes),
            torch.cat(positions, dim=1),
            visual.repeat_interleave(lengths),
            tokens.deepstack,
            steps.repeat_interleave(lengths),
            position,
        )

    def _embed(self, ids: Sequence[int]) -> Tensor:  # [n, d]
        found: Tensor = self._words(sent(torch.tensor(list(ids)), self.device))
        return found

    def _see(
        self, pixels: Tensor, grids: Tensor, received: Received | None = None
    ) -> tuple[list[Tensor], list[list[Tensor]]]:
        """Features per grid and DeepStack features per level and grid; fills `received`."""
        tower = self._model.model.visual
        out = tower(
            pixels.to(self.device, self._model.dtype),
            grid_thw=grids.to(self.device, non_blocking=True),
            received=received,
            **self._places.of(grids),
        )
        sizes = (grids.prod(dim=1) // self._merge**2).tolist()
        features = list(out.pooler_output.split(sizes))
        return features, [list(level.split(sizes)) for level in out.deepstack_features]

    def _patchify(
        self, frames: Sequence[Frame], size: tuple[int, int] | None = None
    ) -> tuple[Tensor, Tensor]:
        target = self._fit(*(size or frames[0].pixels.shape[:2]))
        return self._pictures(
            frames, target, patch=self._patch, merge=self._merge, temporal=self._temporal
        )

    def _under(self, patches: Tensor) -> Tensor:
        """Pixels under each visual token, as `VisualTokens` carries them."""
        return cells(patches, merge=self._merge, temporal=self._temporal).to(self.device)

    def _fit(self, height: int, width: int) -> tuple[int, int]:
        low, high = self._pixels
        return fit_size(
            height, width, factor=self._patch * self._merge, min_pixels=low, max_pixels=high
        )

    def _grid(self, patches: Tensor) -> Grid:
        t, h, w = patches[0].tolist()
        return Grid(t, h // self._merge, w // self._merge)

    def _times(self, segment: Segment) -> tuple[float, ...]:
        """Middle of each temporal step: the mean of its first and last frame's pts."""
        pts = [frame.pts for frame in segment.frames]
        pts += [pts[-1]] * (-len(pts) % self._temporal)
        steps = range(0, len(pts), self._temporal)
        return tuple((pts[i] + pts[i + self._temporal - 1]) / 2 for i in steps)

    def _said(self, text: str) -> list[int]:
        """Ids of what somebody wrote: a special token spelt out in it stays plain text."""
        ids: list[int] = self._tokenizer(text, add_special_tokens=False, split_special_tokens=True)[
            "input_ids"
        ]
        return ids

    def _ids(self, text: str) -> list[int]:
        ids: list[int] = self._tokenizer(text, add_special_tokens=False)["input_ids"]
        return ids

    def _id(self, token: str) -> int:
        found = self._tokenizer.convert_tokens_to_ids(token)
        if found is None or found == self._tokenizer.unk_token_id:
            raise ValueError(f"the tokenizer has no {token}: this is not a Qwen3-VL tokenizer")
        return int(found)


def _stop_ids(
    model: Qwen3VLForConditionalGeneration, tokenizer: PreTrainedTokenizerBase
) -> frozenset[int]:
    """What ends an answer: the generation config's end tokens and the tokenizer's."""
    ends = model.generation_config.eos_token_id
    listed = ends if isinstance(ends, list) else [ends]
    return frozenset(int(i) for i in [*listed, tokenizer.eos_token_id] if i is not None)
