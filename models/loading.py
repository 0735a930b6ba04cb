"""Loads a model: the embedded one, a local folder, or a Hugging Face id."""

from __future__ import annotations

import importlib.resources
import json
from pathlib import Path
from typing import Any

import torch
from transformers import AutoConfig, AutoTokenizer, Qwen3VLForConditionalGeneration

from core.errors import ModelLoadFailed
from models import quantizing
from models.compiling import compile_parts
from models.quantizing import NONE
from models.qwen3_vl import Qwen3VL
from models.vlm import ModelInfo, VideoLanguageModel

EMBEDDED = {"embedded": ".", "embedded-xs": "xs"}  # names, and where under `models.embedded`
EMBEDDED_NOTE = (
    "The embedded model is small and knows only the rendered demo worlds (shapes, everyday "
    "objects, signs, boxes and lamps that appear, move, change and leave). For real cameras load "
    "Qwen3-VL, for example --model Qwen/Qwen3-VL-2B-Instruct."
)
PREPROCESSOR = "preprocessor_config.json"
PIXELS = (64 * 32 * 32, 256 * 32 * 32)  # per picture, where a checkpoint does not say


def load_model(
    name: str,
    *,
    device: str = "auto",
    dtype: str = "auto",
    max_pixels: int | None = None,
    quantize: str = NONE,
    compiled: bool = False,
) -> VideoLanguageModel:
    """Load a checkpoint of the Qwen3-VL family.

    Args:
        name: `embedded`, `embedded-xs`, a folder, or a Hugging Face id.
        device: `auto` (a GPU if there is one), or what torch takes.
        dtype: `auto` (float32 on CPU, bfloat16 on a GPU), or `float32`, `bfloat16`, `float16`.
        max_pixels: largest picture area fed to the vision tower; None takes the checkpoint's.
        quantize: how the language model's weights are packed, `none` or one of `quantizing.WAYS`.
        compiled: whether parts of it are compiled by torch when they are first used.

    Raises:
        ModelLoadFailed: naming what is missing or wrong and what to do.
    """
    where = device_named(device)
    precision = dtype_named(dtype, where)
    path = _folder(name)
    try:
        loaded = _load(name, path, where, precision, quantize)
        if compiled:
            compile_parts(loaded)
        return _adapted(name, path, loaded, max_pixels)
    except ModelLoadFailed:
        raise
    except Exception as error:  # every library below has errors of its own for a damaged file
        first = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise ModelLoadFailed(
            f"cannot load the model {name}: {first} "
            "(a checkpoint folder holds config.json, tokenizer.json and *.safetensors, all whole; "
            "an id needs a connection to its hub, or a filled cache)"
        ) from error


def _load(name: str, path: str, where: torch.device, precision: torch.dtype, quantized: str) -> Any:
    """The checkpoint as transformers has it, whole, on its device."""
    config = AutoConfig.from_pretrained(path)
    if config.model_type != "qwen3_vl":
        raise ModelLoadFailed(
            f"{name} is a {config.model_type} model; Lookout runs qwen3_vl checkpoints"
        )
    model, report = Qwen3VLForConditionalGeneration.from_pretrained(
        path, dtype=precision, output_loading_info=True
    )
    if missing := sorted(report["missing_keys"]):  # transformers would go on with random numbers
        raise ModelLoadFailed(
            f"the weights of {name} lack {len(missing)} tensors, {missing[0]} for one: "
            "fetch the checkpoint again"
        )
    model = model.eval().requires_grad_(False)
    quantizing.quantize(model, quantized, where)
    return model.to(where)


def _adapted(name: str, path: str, model: Any, max_pixels: int | None) -> Qwen3VL:
    low, high = _pixels(path)
    if max_pixels is not None:
        low, high = min(low, max_pixels), max_pixels
    info = ModelInfo(
        name=name,
        architecture=model.config.model_type,
        parameters=sum(p.numel() for p in model.parameters()),
        device=str(model.device),
        dtype=str(model.dtype).removeprefix("torch."),
        note=EMBEDDED_NOTE if name in EMBEDDED else "",
    )
    tokenizer = AutoTokenizer.from_pretrained(path)
    return Qwen3VL(model, tokenizer, info, min_pixels=low, max_pixels=high)


def embedded_folder(name: str = "embedded") -> Path:
    """Where an embedded checkpoint lies, in a checkout and when installed."""
    return Path(str(importlib.resources.files("models.embedded"))) / EMBEDDED[name]


def _folder(name: str) -> str:
    if name in EMBEDDED:
        return str(embedded_folder(name))
    path = Path(name).expanduser()
    looks_local = path.is_absolute() or name.startswith((".", "~")) or path.is_dir()
    if not looks_local:
        return name
    missing = [f for f in ("config.json", "tokenizer_config.json") if not (path / f).is_file()]
    if not any(path.glob("*.safetensors")):
        missing.append("*.safetensors")
    if missing:
        raise ModelLoadFailed(f"the model folder {path} lacks {', '.join(missing)}")
    return str(path)


def device_named(device: str) -> torch.device:
    """The device of that name; `auto` is a GPU if there is one.

    Raises:
        ModelLoadFailed: if it is not here.
    """
    if device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        found = torch.device(device)
    except RuntimeError:
        raise ModelLoadFailed(f"device {device} is not one of auto, cpu, cuda, cuda:N") from None
    if found.type == "cuda" and not (found.index or 0) < torch.cuda.device_count():
        raise ModelLoadFailed(
            f"there is no device {device} here, or torch was built without CUDA: say auto or cpu"
        )
    return found


def dtype_named(dtype: str, device: torch.device) -> torch.dtype:
    """The number format of that name; `auto` is float32 on a CPU and bfloat16 on a GPU.

    Raises:
        ModelLoadFailed: if there is none.
    """
    if dtype == "auto":
        return torch.float32 if device.type == "cpu" else torch.bfloat16
    found = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}
    if dtype not in found:
        raise ModelLoadFailed(f"dtype {dtype} is not one of auto, {', '.join(found)}")
    return found[dtype]


def _pixels(path: str) -> tuple[int, int]:
    """Smallest and largest picture area: `lookout.min_pixels` and `max_pixels` if a folder says.

    Stock Qwen3-VL settings bound a whole video, not a picture, so they are not used.
    """
    settings = Path(path) / PREPROCESSOR
    if not settings.is_file():
        return PIXELS
    ours = json.loads(settings.read_text()).get("lookout", {})
    return int(ours.get("min_pixels", PIXELS[0])), int(ours.get("max_pixels", PIXELS[1]))
