"""What `lookout doctor` looks at: one small check each, which finds out and names the remedy.

A check never raises for what it looks for; it returns a finding. `fail` means that Lookout cannot
work here as configured, `warn` that something is slower or missing.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import platform
import socket
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from stream.access.auth import is_loopback
from stream.settings import Settings

Level = Literal["ok", "warn", "fail"]


@dataclass(frozen=True, slots=True)
class Finding:
    """What a check found."""

    level: Level
    subject: str
    text: str
    remedy: str = ""


Check = Callable[[Settings], Finding]


def python(settings: Settings) -> Finding:
    """The interpreter."""
    where = f"{platform.system()} {platform.machine()}"
    return Finding("ok", "Python", f"{platform.python_version()} on {where}, {sys.prefix}")


def torch(settings: Settings) -> Finding:
    """Whether torch can be imported, and where it would run."""
    try:
        import torch
    except (ImportError, OSError) as error:
        return Finding("fail", "torch", f"cannot be imported: {error}", "pip install 'torch>=2.9'")
    return Finding("ok", "torch", f"{torch.__version__}, {torch.get_num_threads()} threads")


def transformers(settings: Settings) -> Finding:
    """Whether transformers has the model family."""
    version = _version("transformers")
    if version is None or importlib.util.find_spec("transformers.models.qwen3_vl") is None:
        remedy = "pip install 'transformers>=5.20,<6'"
        return Finding("fail", "transformers", f"{version or 'missing'}, no Qwen3-VL", remedy)
    return Finding("ok", "transformers", f"{version}, has Qwen3-VL")


def gpu(settings: Settings) -> Finding:
    """The device that the settings ask for."""
    import torch

    wanted = settings.model.device
    if torch.cuda.is_available():
        free, total = torch.cuda.mem_get_info()
        name = torch.cuda.get_device_name()
        return Finding("ok", "GPU", f"{name}, {free / 2**30:.1f} of {total / 2**30:.1f} GiB free")
    if wanted.startswith("cuda"):
        return Finding(
            "fail", "GPU", f"model.device is {wanted}, and there is no CUDA device",
            "set model.device to auto, or install the driver and a CUDA build of torch",
        )  # fmt: skip
    return Finding("ok", "GPU", "none; the embedded model runs on the CPU, larger ones are slow")


def attention(settings: Settings) -> Finding:
    """Which reader computes attention, and why the ones that come before it cannot.

    The model is not loaded for that: heads of 128 are assumed, which is what Qwen3-VL has.
    """
    from core.errors import LookoutError
    from memory.pool import KVShape
    from memory.readers.choice import choose
    from memory.readers.reader import Demand
    from models.loading import device_named, dtype_named

    try:
        device = device_named(settings.model.device)
        shape = KVShape(1, 1, 128, dtype_named(settings.model.dtype, device))
        memory = settings.memory
        demand = Demand(device, shape, memory.page_size, memory.policy.per_head)
        choice = choose(settings.engine.reader, demand)
    except LookoutError as error:
        return Finding(
            "fail", "attention", str(error), "set engine.reader and model.device to auto"
        )
    others = [f"{name}: {refusal}" for name, refusal in choice.refusals.items()]
    return Finding("ok", "attention", "; ".join([f"computed by {choice.name}", *others]))


def torchvision(settings: Settings) -> Finding:
    """Absent is fine; broken is not, since transformers imports it when it is there."""
    if importlib.util.find_spec("torchvision") is None:
        return Finding("ok", "torchvision", "absent, and not needed")
    try:
        importlib.import_module("torchvision")
    except (ImportError, OSError, RuntimeError) as error:
        return Finding(
            "fail", "torchvision", f"installed but broken: {_first_line(error)}",
            "pip uninstall torchvision, or install the one that matches torch",
        )  # fmt: skip
    return Finding("ok", "torchvision", f"{_version('torchvision')}, not used")


def codecs(settings: Settings) -> Finding:
    """Decoders that cameras need."""
    missing = [name for name in ("h264", "hevc", "mjpeg", "vp8") if not _decodes(name)]
    version = _version("av")
    if missing:
        remedy = "pip install --force-reinstall 'av>=18,<19' (the wheel, not a source build)"
        return Finding("fail", "codecs", f"PyAV {version} lacks {', '.join(missing)}", remedy)
    return Finding("ok", "codecs", f"PyAV {version}: H.264, H.265, MJPEG, VP8")


def decoder(settings: Settings) -> Finding:
    """What decodes video; a card is tried."""
    from core.errors import LookoutError
    from models.loading import device_named
    from stream.sources.hardware import Card, refusal

    wanted = settings.image.decoder
    try:
        device = device_named(settings.model.device)
    except LookoutError as error:
        return Finding("fail", "decoder", str(error), "set model.device to auto")
    if device.type != "cuda":
        level: Level = "fail" if wanted == "cuda" else "ok"
        remedy = "set image.decoder to auto" if wanted == "cuda" else ""
        return Finding(level, "decoder", f"the processor, since the model is on {device}", remedy)
    if wanted == "cpu":
        return Finding("ok", "decoder", "the processor, as configured")
    why = refusal(Card(device))
    if why is None:
        return Finding("ok", "decoder", f"{device}, as exact as the processor")
    level = "fail" if wanted == "cuda" else "warn"
    return Finding(
        level, "decoder", f"the processor: {device} cannot: {why}",
        "install the driver's video libraries (libnvcuvid), or set image.decoder to cpu",
    )  # fmt: skip


def opencv(settings: Settings) -> Finding:
    """JPEG, resizing and USB cameras."""
    try:
        import cv2
    except (ImportError, OSError) as error:
        remedy = "pip install opencv-python-headless"
        return Finding("fail", "OpenCV", _first_line(error), remedy)
    return Finding("ok", "OpenCV", str(cv2.__version__))


def webrtc(settings: Settings) -> Finding:
    """aiortc, and an address that browsers can reach."""
    try:
        import aiortc
    except (ImportError, OSError) as error:
        return Finding("fail", "WebRTC", _first_line(error), "pip install 'aiortc>=1.16,<1.17'")
    if not _outer_address():
        return Finding(
            "warn", "WebRTC", f"aiortc {aiortc.__version__}; no network address besides loopback",
            "the page falls back to JPEG over the websocket; connect a network for WebRTC",
        )  # fmt: skip
    return Finding("ok", "WebRTC", f"aiortc {aiortc.__version__}")


def port(settings: Settings) -> Finding:
    """Whether the port can be had."""
    host, number = settings.server.host, settings.server.port
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, number))
        except OSError as error:
            remedy = "stop what uses it, or choose another with --port"
            return Finding("fail", "port", f"{host}:{number}: {error.strerror or error}", remedy)
    return Finding("ok", "port", f"{host}:{number} is free")


def login(settings: Settings) -> Finding:
    """Whether the server would start as configured, and how open it would be."""
    import os

    from core.errors import ConfigError
    from stream.server.server import doorman_of, keys_of

    server = settings.server
    try:
        keys = keys_of(server, os.environ)
        doorman = doorman_of(server, os.environ)
    except ConfigError as error:
        return Finding("fail", "login", str(error), "`lookout config key` makes a key")
    if doorman.asks_for_keys:
        return Finding("ok", "login", f"{len(keys)} API keys")
    if doorman.loopback:
        return Finding("ok", "login", "none needed, only this machine can connect")
    return Finding("warn", "login", "anyone who reaches the port may ask", "set server.api_keys")


def tls(settings: Settings) -> Finding:
    """Certificate and key, if configured."""
    certificate, key = settings.server.tls_certificate, settings.server.tls_key
    if certificate is None:
        if is_loopback(settings.server.host):
            return Finding("ok", "TLS", "off; not needed on this machine itself")
        return Finding(
            "warn", "TLS", "off: browsers on other machines cannot use their camera",
            "set server.tls_certificate and server.tls_key, or put a TLS proxy in front",
        )  # fmt: skip
    missing = [file for file in (certificate, key) if file and not Path(file).is_file()]
    if missing:
        return Finding("fail", "TLS", f"no such file: {', '.join(missing)}", "correct server.tls_*")
    return _certificate(certificate, key)


def mqtt(settings: Settings) -> Finding:
    """The library; a broker is not configured yet."""
    version = _version("aiomqtt")
    if version is None:
        return Finding("warn", "MQTT", "aiomqtt is missing", "pip install aiomqtt")
    return Finding("ok", "MQTT", f"aiomqtt {version}, no broker configured")


CHECKS: tuple[Check, ...] = (
    python, torch, transformers, gpu, attention, torchvision, codecs, decoder, opencv, webrtc,
    port, login, tls, mqtt,
)  # fmt: skip


def examine(settings: Settings, checks: Sequence[Check] = CHECKS) -> list[Finding]:
    """All findings; a check that breaks is a failure of its own, and the others go on."""
    findings = []
    for check in checks:
        try:
            findings.append(check(settings))
        except Exception as error:  # a broken installation may raise anything
            text = f"{type(error).__name__}: {_first_line(error)}"
            findings.append(Finding("fail", check.__name__, text, "reinstall lookout-live"))
    return findings


def _certificate(certificate: str, key: str | None) -> Finding:
    import ssl

    from cryptography import x509

    try:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
    except (OSError, ssl.SSLError) as error:
        remedy = "the key must belong to the certificate, both in PEM format"
        return Finding("fail", "TLS", f"cannot be used: {_first_line(error)}", remedy)
    until = x509.load_pem_x509_certificate(Path(certificate).read_bytes()).not_valid_after_utc
    left = (until - datetime.now(UTC)).days
    if left < 0:
        return Finding("fail", "TLS", f"expired on {until:%Y-%m-%d}", "renew the certificate")
    if left < 14:
        return Finding("warn", "TLS", f"expires in {left} days", "renew the certificate")
    return Finding("ok", "TLS", f"valid until {until:%Y-%m-%d}")


def _decodes(name: str) -> bool:
    import av

    try:
        av.codec.Codec(name, "r")
    except (ValueError, LookupError):
        return False
    return True


def _outer_address() -> str | None:
    """An address that others could reach; nothing is sent."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # TEST-NET: no packet leaves for a UDP connect
        except OSError:
            return None
        address = str(probe.getsockname()[0])
    return None if address.startswith("127.") else address


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
