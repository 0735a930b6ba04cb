"""The tokenizer of the embedded default: byte-level BPE learnt from what worlds make people say."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

from training.architecture import VOCABULARY
from worlds.vocabulary import COLOURS, DIRECTIONS, PLACES, SHAPES
from worlds.wording import (
    GENERIC,
    NUMBERS,
    QUESTIONS,
    plural,
    say_heading,
    say_number,
    with_article,
)

SPECIAL: Final = (
    "<|endoftext|>",
    "<|im_start|>",
    "<|im_end|>",
    "<|vision_start|>",
    "<|vision_end|>",
    "<|vision_pad|>",
    "<|image_pad|>",
    "<|video_pad|>",
)
SYSTEM: Final = "You watch a live camera and answer questions about it."
SINK: Final = f"<|im_start|>system\n{SYSTEM}<|im_end|>\n<|im_start|>user\n"

# Words apart, numbers digit by digit, punctuation apart, as Qwen's tokenizers do it.
_SPLIT: Final = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
_FOR_EVERYDAY: Final = (
    "system user assistant Hello Thank you Please tell me about the camera",
    "What happened before?",
    "Is it still there? I do not know. Who is it? When did it leave? Why? Yes. No. Nothing new.",
)

TEMPLATE: Final = """\
{%- if messages[0].role != 'system' -%}
<|im_start|>system
You watch a live camera and answer questions about it.<|im_end|>
{% endif -%}
{%- for message in messages -%}
<|im_start|>{{ message.role }}
{% if message.content is string -%}
{{ message.content }}
{%- else -%}
{%- for part in message.content -%}
{%- if part.type == 'text' -%}
{{ part.text }}
{%- elif part.type == 'image' or 'image' in part -%}
<|vision_start|><|image_pad|><|vision_end|>
{%- elif part.type == 'video' or 'video' in part -%}
<|vision_start|><|video_pad|><|vision_end|>
{%- endif -%}
{%- endfor -%}
{%- endif -%}
<|im_end|>
{% endfor -%}
{%- if add_generation_prompt -%}
<|im_start|>assistant
{% endif -%}
"""


def new_tokenizer() -> PreTrainedTokenizerFast:
    """The tokenizer; the same every time."""
    tokenizer = Tokenizer(models.BPE(byte_fallback=False))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(_SPLIT), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY - len(SPECIAL),
        min_frequency=1,
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator(_corpus(), trainer)
    tokenizer.add_special_tokens([AddedToken(word, special=True) for word in SPECIAL])
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        eos_token="<|im_end|>",
        pad_token="<|endoftext|>",
        extra_special_tokens=list(SPECIAL[1:]),
        model_max_length=131072,
        clean_up_tokenization_spaces=False,
    )
    fast.chat_template = TEMPLATE
    return fast


def save_tokenizer(folder: Path) -> None:
    """Write the tokenizer's files and the chat template into `folder`."""
    new_tokenizer().save_pretrained(folder)


def _corpus() -> Iterator[str]:
    things = [f"{colour} {shape}" for colour in COLOURS for shape in SHAPES]
    things += [f"{colour} {noun}" for colour in COLOURS for noun in GENERIC]
    for thing in things:
        one = with_article(thing)
        yield f"I see {one} and {one}, {thing}. {thing.capitalize()}."
        yield f"{one.capitalize()}. It is {one}. the {plural(thing)}"
        for templates in QUESTIONS.values():
            for template in templates:
                text = template.format(it=thing, them=plural(thing), a=with_article(thing))
                yield text
                yield text.lower()
    for word in (*DIRECTIONS, "still"):
        yield from [say_heading(word)] * 20
    for row in PLACES:
        yield from [f"It is at the {name}." for name in row] * 20
    yield from [say_number(n) for n in range(len(NUMBERS))] * 20
    yield from ["I see nothing.", "Nothing new.", "Yes.", "No."] * 20
    yield from [SYSTEM, "system\n", "user\n", "assistant\n", "seconds", " seconds"] * 20
    yield from [f"<{n}.{n % 10} seconds>" for n in range(100)]
    yield from _FOR_EVERYDAY * 5
