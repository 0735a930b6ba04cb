"""A process that measures rows one after the other and writes each down as soon as it has it.

`gpu_session` starts it. An error of a row is written as such and the next one runs. After an error
that leaves the device in doubt the process ends, and the session starts another for what is left.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
import traceback
from pathlib import Path
from typing import Final

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # before torch: others share the cores

import torch

from benchmarks.gpu.context import Context
from benchmarks.gpu.rows import Measure, rows
from benchmarks.gpu.scale import DRY, FULL
from core.errors import EngineDead
from memory.readers.choice import AUTO

DEVICE_IN_DOUBT: Final = 3  # exit status
_FATAL = (torch.AcceleratorError, torch.OutOfMemoryError, EngineDead)


def main(arguments: list[str]) -> int:
    """Measure; 0, or `DEVICE_IN_DOUBT` when what is left needs another process."""
    options = _parser().parse_args(arguments)
    if options.dry_run:
        torch.set_num_threads(1)
    device = "cuda" if torch.cuda.is_available() and not options.dry_run else "cpu"
    scale = DRY if options.dry_run else FULL
    known = rows(scale)
    context = Context(scale, torch.device(device), options.out, options.reader, options.dry_run)
    for name in options.rows:
        if not _measured(context, name, known[name].measure):
            return DEVICE_IN_DOUBT
    return 0


def _measured(context: Context, name: str, measure: Measure) -> bool:
    """Write a row down; whether the device can still be relied on."""
    _write(context.out, name, {"name": name, "status": "started"})
    began, sound = time.monotonic(), True
    result = {"name": name, "device": context.device.type, "dry_run": context.dry}
    try:
        result |= {"status": "done", "rows": measure(context)}
    except Exception as error:
        traceback.print_exc()
        result |= {"status": "failed", "error": f"{type(error).__name__}: {error}"[:500]}
        sound = not isinstance(error, _FATAL)
    result["seconds"] = round(time.monotonic() - began, 2)
    _write(context.out, name, result)
    return sound


def _write(folder: Path, name: str, result: dict[str, object]) -> None:
    draft = folder / f"{name}.draft"
    draft.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    draft.replace(folder / f"{name}.json")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--reader", default=AUTO)
    parser.add_argument("--dry-run", action="store_true")
    parser.add_argument("rows", nargs="+")
    return parser


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
