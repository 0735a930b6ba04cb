"""From YAML files and `key=value` arguments to `Settings`; the only reader of configuration.

Sources are merged left to right, later wins for the keys it names. Whatever is wrong becomes one
`ConfigError` line that names the source, the key and what is allowed.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from core.errors import ConfigError
from stream.settings import Settings
from stream.sources.address import redact

Tree = dict[str, Any]
Key = tuple[str, ...]

UNKNOWN_KEY = ("extra_forbidden", "unexpected_keyword_argument")  # of a section, of a policy
_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")


@dataclass(frozen=True)
class Merged:
    """Values of all sources so far, and which source each key came from."""

    values: Tree = field(default_factory=dict)
    origins: dict[Key, str] = field(default_factory=dict)

    def add(self, values: Mapping[str, Any], origin: str) -> None:
        """Lay the values of one more source over these."""
        _merge(self.values, values, origin, self.origins, ())


def load_settings(
    sources: Sequence[str] = (),
    overrides: Mapping[str, Any] | None = None,
    environment: Mapping[str, str] = os.environ,
) -> Settings:
    """The settings that the defaults, `sources` and `overrides` make, in this order.

    Args:
        sources: paths of YAML files, names of files in `configs/`, or `dotted.key=value`.
        overrides: values of other command line options, nested like the sections.
        environment: where `${NAME}` in strings is looked up.

    Raises:
        ConfigError: for anything unknown, missing, of the wrong type or out of range.
    """
    merged = Merged()
    for source in ("default", *sources):
        values, origin = _read(source)
        merged.add(values, origin)
    merged.add(overrides or {}, "command line")
    try:
        return Settings.model_validate(
            _interpolated(merged.values, (), merged.origins, environment)
        )
    except ValidationError as error:
        raise ConfigError(_explain(error, merged.origins)) from None


def masked(settings: Settings) -> Tree:
    """The settings as plain values for showing: secrets starred, camera addresses redacted."""
    shown: Tree = settings.model_dump(mode="json")
    for name, camera in settings.cameras.items():
        shown["cameras"][name]["url"] = redact(camera.url.get_secret_value())
    return shown


def _read(source: str) -> tuple[Tree, str]:
    path = Path(source)
    bundled = resources.files("configs") / f"{source.removesuffix('.yaml')}.yaml"
    if "=" in source and not path.is_file():
        key, _, text = source.partition("=")
        return _nested(key.strip(), _parsed(text, source)), f"-c {key.strip()}"
    if path.is_file():
        text = path.read_text(encoding="utf-8")
    elif "/" not in source and bundled.is_file():
        text = bundled.read_text(encoding="utf-8")
    else:
        raise ConfigError(f"{source}: no such file; give a YAML file or KEY=VALUE")
    values = _parsed(text, source)
    if values is None:
        return {}, source
    if not isinstance(values, dict):
        raise ConfigError(f"{source}: must hold sections (key: value), not {type(values).__name__}")
    return values, source


def _parsed(text: str, source: str) -> Any:
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f" line {mark.line + 1}" if mark else ""
        problem = getattr(error, "problem", None) or "cannot be read"
        raise ConfigError(f"{source.partition('=')[0]}:{where} is not YAML: {problem}") from None


def _nested(key: str, value: object) -> Tree:
    tree: Any = value
    for part in reversed(key.split(".")):
        tree = {part: tree}
    return dict(tree)


def _merge(
    base: Tree, over: Mapping[str, Any], origin: str, origins: dict[Key, str], at: Key
) -> None:
    for key, value in over.items():
        here = (*at, str(key))
        origins[here] = origin
        known = base.get(key)
        if not isinstance(value, Mapping):
            base[key] = value
            continue
        # Another method has other parameters: those of the old one would only be in its way.
        changed = isinstance(known, dict) and value.get("method", known.get("method")) != known.get(
            "method"
        )
        if not isinstance(known, dict) or changed:
            base[key] = {}
        _merge(base[key], value, origin, origins, here)


def _interpolated(
    value: Any, at: Key, origins: Mapping[Key, str], environment: Mapping[str, str]
) -> Any:
    if isinstance(value, dict):
        return {k: _interpolated(v, (*at, str(k)), origins, environment) for k, v in value.items()}
    if isinstance(value, list):
        return [_interpolated(v, at, origins, environment) for v in value]
    if not isinstance(value, str):
        return value

    def look_up(match: re.Match[str]) -> str:
        name = match.group(1)
        if name not in environment:
            raise ConfigError(
                f"{_origin(at, origins)}: {'.'.join(at)}: environment variable {name} is not set"
            )
        return environment[name]

    return _VARIABLE.sub(look_up, value)


def _explain(error: ValidationError, origins: Mapping[Key, str]) -> str:
    """The first thing that is wrong, in one line that holds no values (they may be secret)."""
    problems = error.errors(include_url=False, include_input=False)
    unknown = [
        p for p in problems if p["type"] in ("extra_forbidden", "unexpected_keyword_argument")
    ]
    first = (unknown or problems)[0]
    at, allowed = _located(tuple(str(part) for part in first["loc"]))
    if unknown:
        what = f"unknown key; allowed: {', '.join(allowed)}"
    else:
        what = first["msg"].removeprefix("Value error, ")
        what = what[0].lower() + what[1:]
    more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
    return f"{_origin(at, origins)}: {'.'.join(at)}: {what}{more}"


def _origin(at: Key, origins: Mapping[Key, str]) -> str:
    """The source of a key, or of the nearest section above it."""
    for length in range(len(at), 0, -1):
        if at[:length] in origins:
            return origins[at[:length]]
    return "configuration"


def _located(loc: Key) -> tuple[Key, list[str]]:
    """Where pydantic's `loc` stands in the user's file, and the keys allowed there.

    Read from the JSON schema, which covers the policies too. The tags of unions, which pydantic
    puts into `loc`, stand in nobody's file.
    """
    schema = Settings.model_json_schema()
    node: dict[str, Any] = schema
    allowed: list[str] = []
    at: list[str] = []
    for part in loc:
        node = _resolved(node, schema)
        tags = node.get("discriminator", {}).get("mapping", {})
        if part in tags:
            node = {"$ref": tags[part]}
            continue
        at.append(part)
        if not part.isdigit():  # a place in a list
            allowed = sorted(node.get("properties", {}))
            node = node.get("properties", {}).get(part) or node.get("additionalProperties") or {}
    return tuple(at), allowed


def _resolved(node: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    while "$ref" in node:
        node = schema["$defs"][node["$ref"].rsplit("/", 1)[1]]
    if "anyOf" in node:  # of something or null, only something has keys
        return _resolved(next(n for n in node["anyOf"] if n.get("type") != "null"), schema)
    if "items" in node and isinstance(node["items"], dict):
        return _resolved(node["items"], schema)
    return node


def json_schema() -> Tree:
    """The JSON schema of a configuration file, for editors."""
    return Settings.model_json_schema()


def as_yaml(values: Tree) -> str:
    """Values as a YAML text that `load_settings` would read."""
    return str(yaml.safe_dump(values, sort_keys=False, allow_unicode=True))
