"""`python -m benchmarks.gpu_session --out DIR`: everything that waits for a GPU, in one call.

Models of the published Qwen3-VL sizes with random weights, no download. Rows are measured in a
process of their own, which is ended and started anew when it fails or hangs; each is in DIR as JSON
as soon as it is measured, all are in `results.json`, and `results.md` is for people: first what was
wanted and whether it was met. What the time does not suffice for is said. `--dry-run` goes through
all of it on a CPU with a tiny model.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from benchmarks.gpu.verdicts import targets, variants
from benchmarks.report import markdown, stamp

_LOOK_S: Final = 0.2  # between two looks at what the worker does
_SPARE_S: Final = 5.0  # at the end, for the tables

Result = dict[str, Any]


@dataclass(slots=True)
class Session:
    """One call.

    Args:
        out: folder of all results.
        rows: names of what is measured, in order, and after how many seconds each hangs.
        shape: that the targets are about.
        ends: monotonic seconds.
        options: of the worker.
    """

    out: Path
    rows: Mapping[str, float]
    shape: str
    ends: float
    options: list[str]
    results: dict[str, Result] = field(default_factory=dict)

    def run(self) -> None:
        """Measure until all is done or the time is over; results are on disk all the while."""
        while left := [name for name in self.rows if name not in self.results]:
            if time.monotonic() >= self.ends:
                for name in left:
                    self._note({"name": name, "status": "skipped", "error": "no time was left"})
                return
            self._work(left)

    def _work(self, left: Sequence[str]) -> None:
        """One worker, until it ends or is ended; takes note of at least one row."""
        for name in left:
            (self.out / f"{name}.json").unlink(missing_ok=True)
        command = [sys.executable, "-m", "benchmarks.gpu.worker", *self.options, *left]
        with (self.out / "worker.log").open("ab") as log:
            worker = subprocess.Popen(
                command, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
            )
            try:
                why = self._watch(worker, left)
            finally:
                _end(worker)
        self._collect(left)
        running = next((name for name in left if name not in self.results), None)
        if running is not None and (why is not None or worker.returncode != 0):
            reason = why or f"its process ended with status {worker.returncode}, see worker.log"
            if self._read(running) is not None or time.monotonic() < self.ends:
                self._note({"name": running, "status": "failed", "error": reason})

    def _watch(self, worker: subprocess.Popen[bytes], left: Sequence[str]) -> str | None:
        """Wait for its end; why it has to be ended, if it must."""
        began, done = time.monotonic(), 0
        while worker.poll() is None:
            self._collect(left)
            if len(self.results) != done:
                began, done = time.monotonic(), len(self.results)
            if time.monotonic() > self.ends:
                return "the session's time was over"
            limit = next((self.rows[name] for name in left if name not in self.results), None)
            if limit is not None and time.monotonic() - began > limit:
                return f"it took longer than {limit:g} s"
            time.sleep(_LOOK_S)
        return None

    def _collect(self, left: Sequence[str]) -> None:
        for name in left:
            result = self._read(name)
            if result is not None and result["status"] != "started" and name not in self.results:
                self._note(result)

    def _read(self, name: str) -> Result | None:
        path = self.out / f"{name}.json"
        if not path.is_file():
            return None
        found: Result = json.loads(path.read_text(encoding="utf-8"))
        return found

    def _note(self, result: Result) -> None:
        self.results[result["name"]] = result
        print(
            f"{result['name']}: {result['status']} {result.get('error', '')}".rstrip(), flush=True
        )
        judged, compared = (judge(self.shape, self.results) for judge in (targets, variants))
        whole = {"stamp": stamp(), "targets": judged, "variants": compared}
        whole["results"] = list(self.results.values())
        (self.out / "results.json").write_text(json.dumps(whole, indent=1) + "\n", encoding="utf-8")
        parts = [f"# GPU session\n\n{stamp()}\n"]
        if any(one.get("dry_run") for one in self.results.values()):
            parts.append("A dry run: its figures say nothing of any GPU.\n")
        parts.append(f"## Targets, with {self.shape}\n\n{markdown(judged)}\n")
        if compared:
            parts.append(f"## {self.shape}, compiled and packed\n\n{markdown(compared)}\n")
        parts += map(_table, self.results.values())
        (self.out / "results.md").write_text("\n".join(parts), encoding="utf-8")


def main(argv: Sequence[str]) -> int:
    """Measure; 0 if every row was, 1 if one failed or was skipped, 2 for a wrong call."""
    options = _parser().parse_args(argv)
    shape, known = _known(options.dry_run)
    asked = options.only
    chosen = {n: s for n, s in known.items() if not asked or any(_named(n, o) for o in asked)}
    if not chosen or options.minutes <= 0:
        print(f"--only: rows are {', '.join(known)}; --minutes: above 0", file=sys.stderr)
        return 2
    options.out.mkdir(parents=True, exist_ok=True)
    passed = ["--out", str(options.out), "--reader", options.reader]
    passed += ["--dry-run"] if options.dry_run else []
    ends = time.monotonic() + 60 * options.minutes - _SPARE_S
    session = Session(options.out, chosen, shape, ends, passed)
    session.run()
    return int(any(r["status"] != "done" for r in session.results.values()))


def _named(name: str, wanted: str) -> bool:
    """`ingest` names that row of all shapes, a shape all its rows."""
    return name == wanted or wanted in name.split(".")


def _known(dry: bool) -> tuple[str, dict[str, float]]:
    """The first shape, and the time limits of all rows."""
    from benchmarks.gpu.rows import rows  # torch, which a wrong option need not wait for
    from benchmarks.gpu.scale import DRY, FULL

    scale = DRY if dry else FULL
    return scale.shapes[0], {name: row.limit_s for name, row in rows(scale).items()}


def _table(result: Result) -> str:
    head = f"## {result['name']}\n\n{result['status']}"
    head += f" in {result['seconds']} s" if "seconds" in result else ""
    head += f": {result['error']}" if "error" in result else ""
    return f"{head}\n" + (f"\n{markdown(result['rows'])}\n" if result.get("rows") else "")


def _end(worker: subprocess.Popen[bytes]) -> None:
    """With all it started; it may hang in a call that never returns."""
    if worker.poll() is None:
        os.killpg(worker.pid, signal.SIGKILL)
    worker.wait()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gpu_session", description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="folder for all results")
    parser.add_argument("--minutes", type=float, default=9.0, help="of the whole session at most")
    parser.add_argument("--only", nargs="+", help="rows, their ends (`ingest`), or shapes")
    parser.add_argument("--reader", default="auto", help="as engine.reader")
    parser.add_argument("--dry-run", action="store_true", help="a tiny model on the CPU")
    return parser


if __name__ == "__main__":
    # Whoever ends the session ends its worker too, which has a group of its own.
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    raise SystemExit(main(sys.argv[1:]))
