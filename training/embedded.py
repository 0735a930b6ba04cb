"""`lookout train embedded`: the embedded default from random weights to a checkpoint folder."""

from __future__ import annotations

import argparse
import json
import os
import platform
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # before torch: others share the cores

import cv2
import torch
from transformers import PreTrainedTokenizerFast, Qwen3VLForConditionalGeneration

from core.errors import ConfigError
from training.architecture import SIZES, embedded_config, new_model, picture_of
from training.checkpoint import save_checkpoint
from training.clips import Recipe
from training.compiling import compiled
from training.eye import EyePhase
from training.film import Darkroom
from training.layout import Tongue
from training.loop import Budget, Trainer
from training.report import draw_curves
from training.settings import DEFAULTS, LATER, PHASES, ClipSettings, PhaseSettings, Settings, load
from training.streams import StreamPhase
from training.vocabulary import SPECIAL, new_tokenizer
from training.warm import take_up

DESCRIPTION: Final = "the embedded default model, from scratch, on rendered scenes"


def main(argv: Sequence[str]) -> int:
    """Train as the command line says; 0 when done, 2 for a wrong call or configuration."""
    options = _parser().parse_args(argv)
    try:
        settings = load(options.config or DEFAULTS[options.size])
        if options.minutes is not None:
            settings = settings.lasting(options.minutes, LATER if options.start else PHASES)
        if options.dry_run:
            settings = settings.tiny()
        train(settings, options.out, resume=options.resume, start=options.start)
    except ConfigError as error:
        print(f"lookout train embedded: {error}")
        return 2
    return 0


def train(
    settings: Settings, out: Path, resume: bool = False, start: Path | None = None
) -> dict[str, Any]:
    """Run all phases; of a run that starts from an earlier model, all but the eye's.

    The eye's phase ends by writing what it knows along axes that it draws. The language model that
    `start` brings has learnt to read the axes drawn then, and would have to learn anew.

    Args:
        settings: how.
        out: gets the states and logs of the phases, `model/` after each, and `training.json`.
        resume: take up what is in `out`; else it is trained anew.
        start: folder of an earlier model of the same size whose weights are the first ones.

    Returns:
        the facts of the run, as written to `training.json`.
    """
    out.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(settings.threads)
    cv2.setNumThreads(1)  # a pool of its own would not survive the fork of the workers
    torch.manual_seed(settings.seed)
    tokenizer = new_tokenizer()
    model = _first(settings, tokenizer, start)
    facts: dict[str, Any] = {
        "seed": settings.seed,
        "parameters": sum(p.numel() for p in model.parameters()),
        "hardware": _hardware(),
        "started_from": str(start) if start else "random weights",
        "settings": settings.model_dump(),
        "phases": {},
    }
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    model.to(device)
    facts["compiled"], line = compiled(model, settings.compile, device)
    print(line, flush=True)
    room = Darkroom(device, settings.seed)
    for number, (phase, budget) in enumerate(_phases(settings, model, tokenizer, room)):
        if start is not None and phase.name not in LATER:
            continue
        seed = settings.seed + 1000 * number
        trainer = Trainer(phase, budget, out, seed, settings.workers, device)
        if not (resume and trainer.resume()):
            trainer.clear()
        trainer.run()
        if isinstance(phase, EyePhase):
            phase.hand_over(settings.seed)
        facts["phases"][phase.name] = trainer.facts()
        save_checkpoint(model, tokenizer, out / "model")
    (out / "training.json").write_text(json.dumps(facts, indent=2) + "\n")
    draw_curves(out, list(facts["phases"]))
    return facts


def _first(
    settings: Settings, tokenizer: PreTrainedTokenizerFast, start: Path | None
) -> Qwen3VLForConditionalGeneration:
    """The model as training finds it: random weights, or those in the folder `start`."""
    special = {name: tokenizer.convert_tokens_to_ids(name) for name in SPECIAL}
    model = new_model(embedded_config(special, SIZES[settings.size]), settings.seed)
    if start is not None:
        take_up(model, tokenizer, start)
    return model


def _phases(
    settings: Settings,
    model: Qwen3VLForConditionalGeneration,
    tokenizer: PreTrainedTokenizerFast,
    room: Darkroom,
) -> list[tuple[EyePhase | StreamPhase, Budget]]:
    tongue = Tongue(tokenizer)

    def stream(name: str, chosen: ClipSettings) -> tuple[StreamPhase, Budget]:
        recipe = Recipe(
            chosen.steps,
            chosen.questions,
            chosen.clips,
            chosen.tasks,
            chosen.moods,
            picture_of(model),
            chosen.budget,
        )
        return StreamPhase(name, model, tongue, recipe, chosen.eye, room), _budget(chosen)

    return [
        (EyePhase(model, settings.eye.batch, settings.eye.moods, room), _budget(settings.eye)),
        stream("questions", settings.questions),
        stream("streams", settings.streams),
        stream("recall", settings.recall),
    ]


def _hardware() -> str:
    where = f"{os.cpu_count()} CPU cores ({platform.machine()})"
    if torch.cuda.is_available():
        where = f"{torch.cuda.get_device_name()}, {where}"
    return f"{where}, torch {torch.__version__}"


def _budget(phase: PhaseSettings) -> Budget:
    return Budget(phase.minutes, phase.rate, most_steps=phase.most_steps)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("lookout train embedded", description=DESCRIPTION)
    parser.add_argument("--size", choices=list(SIZES), default="s", help="of the model")
    parser.add_argument("--config", type=Path, help="YAML file instead of the size's own")
    parser.add_argument(
        "--from",
        type=Path,
        dest="start",
        help="folder of a model to start from; the eye's phase is then not run",
    )
    parser.add_argument("--out", type=Path, default=Path("runs/embedded"), help="folder")
    parser.add_argument("--resume", action="store_true", help="take up what is in the folder")
    parser.add_argument("--minutes", type=float, help="of all phases together")
    parser.add_argument("--dry-run", action="store_true", help="two steps of every phase")
    return parser


if __name__ == "__main__":
    import sys

    raise SystemExit(main(sys.argv[1:]))
