"""The tokenizer of the embedded default: byte-level BPE learnt from what worlds make people say."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

from training.architecture import VOCABULARY
from worlds.questions.past import WHEN
from worlds.questions.standing import AWAITED
from worlds.things import INVERSE
from worlds.vocabulary import (
    BOX,
    COLOURS,
    HELPERS,
    LAMP,
    MOTIONS,
    OBJECTS,
    PLACES,
    SHAPES,
    SIGN,
    STATEFUL,
)
from worlds.wording import (
    GENERIC,
    NEVER,
    NUMBERS,
    QUESTIONS,
    plural,
    say_event,
    say_fate,
    say_heading,
    say_number,
    say_time,
    with_article,
)

SILENT_TOKEN: Final = "<|silent|>"
SPECIAL: Final = (
    "<|endoftext|>",
    "<|im_start|>",
    "<|im_end|>",
    "<|vision_start|>",
    "<|vision_end|>",
    "<|vision_pad|>",
    "<|image_pad|>",
    "<|video_pad|>",
    SILENT_TOKEN,
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
    """What is said in worlds; every word often enough to become a token."""
    nouns = [*SHAPES, *OBJECTS, *STATEFUL, *HELPERS, *GENERIC, "sign"]
    looks = [f"{colour} {noun}" for colour in COLOURS for noun in (*SHAPES, *GENERIC, SIGN)]
    for name in [*nouns, *looks] * 2:
        one = with_article(name)
        yield f"I see {one} and {one}, {name}. {one.capitalize()}. It is {one}. the {name}"
    for noun in (*SHAPES, *STATEFUL, *GENERIC):
        yield from [f"the {plural(noun)} {plural(noun)}"] * 8
    for templates in QUESTIONS.values():
        for template in templates:
            text = template.format("red thing", "open")
            yield from [text, text.lower()] * 12
    for words in (*(way for ways in WHEN.values() for way in ways), *AWAITED):
        yield from [f"When {words.format('thing')}"] * 12
    for word in MOTIONS:
        yield from [say_heading(word)] * 20
    for row in PLACES:
        yield from [f"It is at the {name}." for name in row] * 20
    for kind in INVERSE:
        yield from [say_event(kind, "thing", "red"), say_fate(kind, "red")] * 12
    yield from [say_number(n) for n in range(len(NUMBERS))] * 20
    yield from [
        f"Is the {BOX} open? closed the {LAMP} on off",
        "It says 4. It said 7. It was red.",
    ] * 20
    yield from ["appears leaves comes in goes away comes before after first last"] * 20
    yield from ["I see nothing.", "Nothing new.", "Yes.", "No.", NEVER, "Is anything moving?"] * 20
    yield from [SYSTEM, "system\n", "user\n", "assistant\n", "seconds", " seconds"] * 20
    yield from [f"<{n}.{n % 10} seconds> {say_time(n)}" for n in range(100)]
    yield from _FOR_EVERYDAY * 5
