"""Every memory policy, one line each: what settings, tests and tables read."""

from __future__ import annotations

from memory.policies.flash_vstream import FlashVStream
from memory.policies.hermes import Hermes
from memory.policies.hour_llava import HourLlava
from memory.policies.infinipot_v import InfiniPotV
from memory.policies.live_vlm import LiveVLM
from memory.policies.movie_chat import MovieChat
from memory.policies.policy import MemoryPolicy
from memory.policies.save_mem import SaveMem
from memory.policies.sharp_v import SharpVMemory
from memory.policies.sink_window import RecentSeconds, RecentSteps, SinkWindow
from memory.policies.stream_mem import StreamMem
from memory.policies.video_scan import VideoScanCarriers

POLICIES: tuple[type[MemoryPolicy], ...] = (
    SinkWindow,
    RecentSteps,
    RecentSeconds,
    InfiniPotV,
    StreamMem,
    LiveVLM,
    Hermes,
    MovieChat,
    SharpVMemory,
    SaveMem,
    VideoScanCarriers,
    FlashVStream,
    HourLlava,
)
