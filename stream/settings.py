"""Every setting there is, with its description: what YAML and options are validated into.

Settings stop at the composition root; the classes below it take plain arguments. A pruning policy
is its own configuration, so `pruning.policy` is validated straight into the policy object.
"""

from __future__ import annotations

from functools import reduce
from operator import or_
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field, SecretStr, field_validator, model_validator

from core.events.parts import CameraName, OnNewInput
from engine.positions.continuous import Continuous
from engine.positions.registry import SCHEMES
from engine.positions.scheme import Positions
from engine.selecting import check
from engine.visibility import RULES, AsAsked, Visibility
from memory.codecs.block import Block
from memory.codecs.codec import Codec
from memory.codecs.registry import CODECS
from memory.policies.policy import MemoryPolicy
from memory.policies.registry import POLICIES
from memory.policies.sink_window import SinkWindow
from memory.readers.choice import AUTO, READERS
from memory.recall.gate import GATES, Gate, PastTense
from pruning.policy import PruningPolicy
from pruning.registry import METHODS
from pruning.selectors.selector import Selector
from pruning.vcast import VCast
from stream.noting import NotesSettings
from stream.section import Section
from stream.selectors import CHOICES, Trained

if TYPE_CHECKING:
    Policy = PruningPolicy
    SelectorChoice = Selector | Trained
    ReaderName = str
    Memory = MemoryPolicy
    CodecChoice = Codec
    GateChoice = Gate
    VisibilityChoice = Visibility
    PositionsChoice = Positions
else:  # which ones there are is the registries' to say
    Policy = Annotated[reduce(or_, METHODS), Field(discriminator="method")]
    SelectorChoice = Annotated[reduce(or_, CHOICES), Field(discriminator="method")]
    ReaderName = Literal[(AUTO, *READERS)]
    Memory = Annotated[reduce(or_, POLICIES), Field(discriminator="method")]
    CodecChoice = Annotated[reduce(or_, CODECS), Field(discriminator="method")]
    GateChoice = Annotated[reduce(or_, GATES), Field(discriminator="method")]
    VisibilityChoice = Annotated[reduce(or_, RULES), Field(discriminator="rule")]
    PositionsChoice = Annotated[reduce(or_, SCHEMES), Field(discriminator="scheme")]


class ModelSettings(Section):
    """Which model answers and where it runs."""

    name: str = Field("embedded", description="embedded, a Hugging Face id, or a local folder.")
    device: str = Field("auto", description="auto, cpu, cuda, or cuda:N.")
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = Field(
        "auto", description="Number format of weights and memory; auto takes the device's best."
    )
    quantize: Literal["none", "int8", "int4", "fp8"] = Field(
        "none",
        description="How the language model's weights are packed, for cards that are too small for "
        "them; needs the extra `quantize`.",
    )
    compiled: bool = Field(
        False,
        description="Whether torch compiles norms and feed-forward parts when they are first used: "
        "slow at first, fewer kernels afterwards; needs a C++ compiler.",
    )


class ApiKey(Section):
    """Who may come in. Only the hash is stored; `lookout config key` makes a key and its hash."""

    name: str = Field(description="Shown in logs instead of the key.")
    sha256: SecretStr = Field(description="SHA-256 of the key, 64 hexadecimal digits.")
    role: Literal["user", "admin"] = Field(
        "user", description="user asks, looks and sends frames; admin also adds cameras by URL."
    )

    @field_validator("sha256")
    @classmethod
    def _is_a_hash(cls, value: SecretStr) -> SecretStr:
        digits = value.get_secret_value().lower()
        if len(digits) != 64 or set(digits) - set("0123456789abcdef"):
            raise ValueError("must be the 64 hexadecimal digits of a SHA-256, not the key itself")
        return SecretStr(digits)


class ServerSettings(Section):
    """Where the server listens and whom it lets in."""

    host: str = Field("127.0.0.1", description="Address to listen on; loopback needs no login.")
    port: int = Field(8080, ge=0, le=65535, description="Port; 0 takes any free one.")
    api_keys: tuple[ApiKey, ...] = Field(
        (), description="Keys that may come in; LOOKOUT_API_KEY in the environment adds an admin."
    )
    allow_anyone: bool = Field(
        False, description="Listen beyond loopback without any key. Anyone who reaches it may ask."
    )
    allowed_origins: tuple[str, ...] = Field(
        (), description="Further origins of web pages and names of this host: https://name[:port]."
    )
    allowed_targets: tuple[str, ...] = Field(
        (),
        description="Host names and networks (10.0.0.0/8) inside private ranges that cameras added "
        "over the network may point to; ignored while listening on loopback only.",
    )
    tls_certificate: str | None = Field(None, description="PEM file; with it the server is https.")
    tls_key: str | None = Field(None, description="PEM file of the certificate's private key.")
    max_message_bytes: int = Field(
        8 * 2**20, ge=4096, description="Longest websocket message; beyond it 1009 closes."
    )
    max_conversations: int = Field(64, ge=1, description="Websockets at once; beyond it 1013.")
    slow_client_s: float = Field(
        10.0, gt=0, description="A client that reads nothing for so long is closed with 4008."
    )


class CameraSettings(Section):
    """One camera that is attached at start."""

    url: SecretStr = Field(
        description="rtsp://, rtsps://, rtmp://, http(s)://, file: or a path (?loop=1), usb:N, "
        "demo:NAME. Passwords as ${NAME}, from the environment."
    )
    fps: float | None = Field(None, gt=0, le=120, description="Overrides sampling.fps.")


class SamplingSettings(Section):
    """Which frames are looked at."""

    fps: float = Field(4.0, gt=0, le=120, description="Frames per second of media time.")
    buffer_frames: int = Field(32, ge=2, description="Frames waiting; the oldest gives way.")


class SegmentSettings(Section):
    """When consecutive frames close a segment."""

    max_steps: int = Field(2, ge=1, le=64, description="Temporal steps of a segment at most.")
    cut_threshold: float = Field(
        0.35, ge=0, le=1, description="Change between frames that closes a segment; 1 never does."
    )


class ImageSettings(Section):
    """Where pictures are decoded, and how large they are when the model sees them."""

    max_pixels: int | None = Field(
        None, ge=1024, description="Pixels per frame at most; absent: what the model prefers."
    )
    decoder: Literal["auto", "cpu", "cuda"] = Field(
        "auto", description="What decodes video; auto takes the model's CUDA device if it can."
    )


class PruningSettings(Section):
    """Which visual tokens are kept."""

    budget: int = Field(18, ge=1, description="Visual tokens kept per temporal step.")
    policy: Policy = Field(VCast(), description="The method and its parameters.")


class ArchiveSettings(Section):
    """What becomes of temporal steps that a camera's memory gives up."""

    max_bytes: int = Field(
        0,
        ge=0,
        description="Bytes on the model's device set aside for a camera's archive; 0 keeps none.",
    )
    host_bytes: int = Field(
        0,
        ge=0,
        description="Bytes of host memory set aside for what a camera's archive has no room for on "
        "the device; 0 for none.",
    )
    disk_bytes: int = Field(
        0,
        ge=0,
        description="Bytes on disk at most for what it has no room for in memory; 0 for none. Only "
        "cameras of the configuration are written to disk.",
    )
    folder: str | None = Field(
        None,
        min_length=1,
        description="Folder of this server alone, for disk_bytes; it holds what cameras saw.",
    )
    codec: CodecChoice = Field(Block(), description="How keys and values are packed.")
    gate: GateChoice = Field(PastTense(), description="Which questions read the archive.")
    budget: int = Field(
        256, ge=1, description="Tokens that an answer reads of the archive at most."
    )

    @model_validator(mode="after")
    def _tiers_follow_each_other(self) -> ArchiveSettings:
        if self.host_bytes and not self.max_bytes:
            raise ValueError("host_bytes: what goes to the host comes from max_bytes: set them too")
        if self.disk_bytes and not self.host_bytes:
            raise ValueError("disk_bytes: what goes to disk comes from host_bytes: set them too")
        if self.disk_bytes and self.folder is None:
            raise ValueError("disk_bytes: say in which folder")
        return self


class SaveSettings(Section):
    """Where memories survive a restart. Only cameras of the configuration are saved."""

    folder: str | None = Field(
        None,
        min_length=1,
        description="Folder of this server alone, for what its cameras remember; null: nowhere.",
    )
    every_s: float = Field(
        60,
        ge=0,
        allow_inf_nan=False,
        description="Seconds between two saves of a camera that saw something; 0: always at it.",
    )


class MemorySettings(Section):
    """How much each camera remembers."""

    capacity: int = Field(512, ge=64, description="Tokens a camera's memory holds at most.")
    max_bytes: int | None = Field(
        None, ge=1024, description="Bytes a camera's memory takes at most; lowers capacity."
    )
    page_size: int = Field(16, ge=1, le=1024, description="Tokens per page.")
    policy: Memory = Field(SinkWindow(), description="What a full memory gives up.")
    archive: ArchiveSettings = Field(ArchiveSettings(), description="What was given up.")
    notes: NotesSettings = Field(NotesSettings(), description="Notes about what was seen.")
    save: SaveSettings = Field(SaveSettings(), description="Over restarts.")

    @model_validator(mode="after")
    def _archives_whole_steps(self) -> MemorySettings:
        if self.archive.max_bytes and not self.policy.whole_steps:
            raise ValueError(
                f"archive.max_bytes: {self.policy.method} gives up single tokens, an archive takes "
                "whole steps: choose another policy or no archive"
            )
        return self


class EngineSettings(Section):
    """How work is shared on the accelerator."""

    max_cameras: int = Field(4, ge=1, description="Cameras at once; their memory is reserved.")
    max_answers: int = Field(8, ge=1, description="Answers given at once; more wait.")
    max_waiting: int = Field(
        16, ge=0, description="Answers that wait for a place; more are refused as `busy`."
    )
    prompt_tokens: int = Field(
        2048, ge=64, description="Tokens of a question with its history and pictures at most."
    )
    step_ms: float = Field(
        50.0,
        gt=0,
        description="Milliseconds that a step shall take at most while an answer is given, so that "
        "its tokens come evenly; how much is watched in it follows from what is measured.",
    )
    prefill_tokens: int = Field(
        1024, ge=16, description="Prefill tokens per step beside decoding at most."
    )
    encode_tokens: int = Field(
        4096, ge=16, description="Visual tokens encoded per step at most; one segment always is."
    )
    max_load: float = Field(
        0.8,
        gt=0,
        description="Share of the engine's time that cameras may need together, as measured; one "
        "more than that is refused, unless it is one of the configuration. What is left is for "
        "answers, and for what makes watching dearer later: memories that fill, other programs.",
    )
    reader: ReaderName = Field(
        AUTO, description="What computes attention; auto takes the first that works here."
    )
    graphs: bool = Field(
        True, description="Whether a GPU replays recorded forwards (CUDA graphs) while all speak."
    )


class OverloadSettings(Section):
    """What a live camera gives up while the engine cannot keep up with it.

    One thing after the other: frames per second, visual tokens, picture size, frames that wait.
    All is taken back in reverse when the camera no longer lags.
    """

    enabled: bool = Field(True, description="Without it only frames that find no room are lost.")
    target_lag_s: float = Field(
        2.0, gt=0, description="Seconds from a frame's arrival until it is remembered, at most."
    )
    patience_s: float = Field(
        3.0, gt=0, description="Seconds above that before something (more) is given up."
    )


class AnswerSettings(Section):
    """How questions are answered."""

    instructions: str = Field("", description="Default instructions of a conversation.")
    max_tokens: int = Field(128, ge=1, le=8192, description="Longest answer.")
    max_question_chars: int = Field(4000, ge=1, description="Longest question.")
    max_images: int = Field(4, ge=0, description="Pictures a question may bring.")
    on_new_input: OnNewInput = Field(
        "interrupt", description="What a new question does to the answer under way."
    )
    stale_after_s: float = Field(
        5.0, gt=0, description="Frames older than this are called stale in an answer about now."
    )
    selector: SelectorChoice | None = Field(
        None,
        description="Method that chooses by question, among the tokens pruning kept, what an "
        "answer reads instead of the memory, and its parameters; null: answers read the memory.",
    )
    selector_budget: int = Field(
        256, ge=1, description="Visual tokens that an answer reads at most; only with a selector."
    )
    bank_steps: int = Field(
        128,
        ge=1,
        description="Temporal steps, the newest, whose kept tokens are held for a selector to "
        "choose from; only with one. More of them make room for answers larger, too.",
    )

    visibility: VisibilityChoice = Field(
        AsAsked(),
        description="What an answer sees of what comes in while it is given: nothing (`snapshot`), "
        "or at each token all there is (`live`), which models must be trained for.",
    )
    positions: PositionsChoice = Field(
        Continuous(),
        description="How the tokens of an answer are numbered; all but `continuous` and `origin` "
        "need a model that was trained for them.",
    )

    @field_validator("selector")
    @classmethod
    def _can_choose_live(cls, value: SelectorChoice | None) -> SelectorChoice | None:
        if isinstance(value, Selector):
            check(value)
        return value


class LogSettings(Section):
    """What is written to standard error."""

    level: Literal["debug", "info", "warning", "error"] = Field("info", description="Least level.")


class Settings(Section):
    """All of it."""

    model: ModelSettings = Field(ModelSettings(), description="Model.")
    server: ServerSettings = Field(ServerSettings(), description="Server.")
    cameras: dict[CameraName, CameraSettings] = Field({}, description="Cameras by name.")
    sampling: SamplingSettings = Field(SamplingSettings(), description="Sampling.")
    segment: SegmentSettings = Field(SegmentSettings(), description="Segments.")
    image: ImageSettings = Field(ImageSettings(), description="Picture size.")
    pruning: PruningSettings = Field(PruningSettings(), description="Pruning.")
    memory: MemorySettings = Field(MemorySettings(), description="Memory.")
    engine: EngineSettings = Field(EngineSettings(), description="Engine.")
    overload: OverloadSettings = Field(OverloadSettings(), description="Overload.")
    answer: AnswerSettings = Field(AnswerSettings(), description="Answers.")
    log: LogSettings = Field(LogSettings(), description="Logs.")

    @model_validator(mode="after")
    def _chooses_as_asked(self) -> Settings:
        usual = self.answer.visibility == AsAsked() and self.answer.positions == Continuous()
        if self.answer.selector is not None and not usual:
            raise ValueError(
                "answer.selector: answers that choose what they read choose once, and number it "
                "anew: leave answer.visibility and answer.positions as they are"
            )
        return self

    @model_validator(mode="after")
    def _reads_one_way(self) -> Settings:
        if self.answer.selector is not None and self.memory.notes.enabled:
            raise ValueError(
                "memory.notes.enabled: answers with answer.selector read no memory, so no notes "
                "either: choose one of the two"
            )
        if self.answer.selector is not None and self.memory.archive.max_bytes:
            raise ValueError(
                "memory.archive.max_bytes: answers with answer.selector read no memory, so no "
                "archive either: choose one of the two"
            )
        if self.answer.selector is not None and self.memory.save.folder is not None:
            raise ValueError(
                "memory.save.folder: answers with answer.selector read no memory, and what they "
                "read is not saved: choose one of the two"
            )
        return self
