"""`lookout bench real-input`: every kind of real input through the real server, measured.

The scenarios are the tests of tests/proof, which start the servers, the browser and the faults;
this runs them and collects the figures that they measure on the way.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from benchmarks.report import publish


def main(argv: Sequence[str]) -> int:
    """Run the scenarios; 1 if one failed, 2 without a checkout."""
    parser = argparse.ArgumentParser(prog="lookout bench real-input", description=__doc__)
    parser.add_argument("--json", type=Path, help="also write the rows to this file")
    parser.add_argument("-k", dest="only", help="only scenarios whose name matches")
    options = parser.parse_args(argv)
    root = Path(__file__).parent.parent
    if not (root / "tests" / "proof").is_dir():
        print("real-input needs a checkout: its scenarios are tests/proof", file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory() as folder:
        figures = Path(folder) / "figures.jsonl"
        chosen = ["-k", options.only] if options.only else []
        done = subprocess.run(
            [sys.executable, "-m", "pytest", "-q", "tests/proof", *chosen],
            cwd=root,
            env=os.environ | {"LOOKOUT_FIGURES": str(figures)},
            check=False,
        )
        lines = figures.read_text().splitlines() if figures.exists() else []
    publish([json.loads(line) for line in lines], options.json)
    return int(done.returncode != 0)
