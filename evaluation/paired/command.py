"""`lookout eval paired FILE`: strict scores of counterfactual pairs and instances."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from core.errors import ConfigError, LookoutError
from evaluation.paired.comparison import require_same
from evaluation.paired.groups import Group, require_complete
from evaluation.paired.judging import judge
from evaluation.paired.layouts import LAYOUTS, Layout
from evaluation.paired.report import Answers, lines, report
from evaluation.paired.rows import load

DESCRIPTION: Final = "strict scores of answers to counterfactual pairs, from a JSONL file"


def main(argv: Sequence[str]) -> int:
    """Score as the command line says; 0 when scored, 1 for unusable data, 2 for a wrong call."""
    options = _parser().parse_args(argv)
    try:
        result = _score(options)
        for line in lines(result):
            print(line)
        if options.json:
            _write(options.json, result)
    except LookoutError as error:
        print(f"lookout eval paired: {error}", file=sys.stderr)
        return error.exit_status
    return 0


def _score(options: argparse.Namespace) -> dict[str, Any]:
    layout = LAYOUTS[options.kind]
    parse = options.parse or next(iter(layout.readers))
    if parse not in layout.readers:
        raise ConfigError(f"--parse {parse}: {options.kind} has {', '.join(layout.readers)}")
    columns = {**layout.columns, **_mapped(options.map, layout)}
    found = {
        name: _groups(path, layout, columns, options)
        for name in ("file", "blank", "against")
        if (path := getattr(options, name)) is not None
    }
    for name in found.keys() - {"file"}:
        require_same(found["file"], found[name])
    reader = layout.readers[parse]
    judged = {name: [judge(group, reader) for group in groups] for name, groups in found.items()}
    answers = Answers(judged["file"], judged.get("blank"), judged.get("against"))
    files = {name: getattr(options, name).name for name in found}
    return {**report(layout, answers), "kind": options.kind, "parse": parse, "files": files}


def _groups(
    path: Path, layout: Layout, columns: Mapping[str, str], options: argparse.Namespace
) -> list[Group]:
    groups = layout.groups(load(path, columns))
    if options.groups is not None and len(groups) != options.groups:
        raise ConfigError(f"{path}: {len(groups)} groups, and --groups says {options.groups}")
    if options.incomplete == "refuse":
        require_complete(groups)
    return groups


def _mapped(pairs: Sequence[str], layout: Layout) -> dict[str, str]:
    mapped = {}
    for pair in pairs:
        field, equals, column = pair.partition("=")
        if field not in layout.fields or not equals or not column:
            raise ConfigError(f"--map {pair}: FIELD=COLUMN, FIELD of {', '.join(layout.fields)}")
        mapped[field] = column
    return mapped


def _write(path: Path, result: Mapping[str, Any]) -> None:
    try:
        path.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"--json {path}: cannot be written: {error.strerror}") from error


def _parser() -> argparse.ArgumentParser:
    names = (
        f"{kind}: {field} is {column!r}"
        for kind, layout in LAYOUTS.items()
        for field, column in layout.columns.items()
    )
    parser = argparse.ArgumentParser(
        "lookout eval paired",
        description=DESCRIPTION,
        epilog=f"Columns have the names of their fields, unless mapped, but {'; '.join(names)}.",
    )
    parser.add_argument("file", type=Path, help="answers: JSON lines or a JSON array")
    parser.add_argument("--kind", choices=list(LAYOUTS), default="dybench", help="what pairs what")
    parser.add_argument(
        "--map",
        action="append",
        default=[],
        metavar="FIELD=COLUMN",
        help="the file's name of a field; repeatable. Fields: "
        + "; ".join(f"{name}: {', '.join(layout.fields)}" for name, layout in LAYOUTS.items()),
    )
    parser.add_argument("--parse", choices=("strict", "official"), help="how replies are read")
    parser.add_argument(
        "--incomplete",
        choices=("refuse", "wrong"),
        default="refuse",
        help="groups with missing answers: refuse the file, or count them as wrong",
    )
    parser.add_argument("--groups", type=int, metavar="N", help="refuse any other number of groups")
    parser.add_argument("--blank", type=Path, help="answers to the same after blank video")
    parser.add_argument("--against", type=Path, help="answers of another model, to test against")
    parser.add_argument("--json", type=Path, help="file for the result")
    return parser
