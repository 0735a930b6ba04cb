"""`lookout doctor`: every finding on a line, and the remedy where there is one."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.text import Text

from stream.configuration import load_settings
from stream.doctor import Finding, examine

COLOURS = {"ok": "green", "warn": "yellow", "fail": "red"}


def doctor(config: Sequence[str]) -> int:
    """Print the findings; 1 if anything failed.

    Raises:
        ConfigError: if the configuration cannot be read.
    """
    findings = examine(load_settings(config))
    console = Console(highlight=False, soft_wrap=True)
    for finding in findings:
        console.print(_line(finding))
    failed = sum(finding.level == "fail" for finding in findings)
    console.print("All is well." if not failed else f"{failed} of {len(findings)} checks failed.")
    return 1 if failed else 0


def _line(finding: Finding) -> Text:
    line = Text()
    line.append(f"{finding.level:<5}", style=COLOURS[finding.level])
    line.append(f"{finding.subject}: {finding.text}")
    if finding.remedy:
        line.append(f"  -> {finding.remedy}")
    return line
