"""Configuration: later wins, and whatever is wrong names source, key and what is allowed."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from core.errors import ConfigError
from engine.positions.registry import SCHEMES
from engine.visibility import RULES
from memory.codecs.registry import CODECS
from memory.policies.registry import POLICIES
from memory.presets import LOOKOUT, PRESETS, room
from memory.recall.gate import GATES
from models.loading import load_model
from pruning.registry import METHODS
from pruning.uniform import Uniform
from pruning.vcast import VCast
from stream.compose import engine_for
from stream.configuration import as_yaml, json_schema, load_settings, masked
from stream.selectors import CHOICES
from stream.settings import MemorySettings, Settings
from tests.tiny import ours


def write(folder: Path, name: str, **values: Any) -> str:
    file = folder / name
    file.write_text(yaml.safe_dump(values))
    return str(file)


def test_the_defaults_are_valid_and_the_bundled_files_too() -> None:
    assert load_settings().pruning.budget == 18
    assert list(load_settings(["demo"]).cameras) == ["demo"]


def test_admission_promises_what_is_configured() -> None:
    chosen = load_settings(["overload.target_lag_s=1.5", "engine.max_load=0.5"])
    limits = engine_for(ours(), chosen).limits
    assert (limits.lag_s, limits.load) == (1.5, 0.5)


def test_the_demo_remembers_as_the_preset_that_is_measured_under_our_name() -> None:
    preset = next(one for one in PRESETS if one.name == LOOKOUT)
    assert preset.archived is not None
    shape = load_model("embedded").shape
    memory = load_settings(["demo"]).memory
    size = room(preset, shape, MemorySettings().capacity, memory.page_size)
    assert (memory.capacity, memory.archive.max_bytes) == (size.capacity, size.archive_bytes)
    assert (memory.policy, memory.archive.codec, memory.archive.gate) == (
        preset.policy,
        preset.archived.codec,
        preset.archived.gate,
    )


def test_sources_are_merged_left_to_right_and_the_command_line_wins(tmp_path: Path) -> None:
    one = write(tmp_path, "one.yaml", pruning={"budget": 20}, memory={"capacity": 1024})
    two = write(tmp_path, "two.yaml", pruning={"budget": 30})
    settings = load_settings([one, two, "server.port=9000"], {"server": {"host": "::1"}})
    assert settings.pruning.budget == 30
    assert settings.memory.capacity == 1024
    assert (settings.server.host, settings.server.port) == ("::1", 9000)
    assert load_settings([two, one]).pruning.budget == 20


def test_a_policy_is_validated_into_its_own_object() -> None:
    assert load_settings(["pruning.policy.temperature=0.5"]).pruning.policy == VCast(
        temperature=0.5
    )


def test_another_method_brings_its_own_parameters_and_keeps_none_of_the_old(tmp_path: Path) -> None:
    file = write(tmp_path, "a.yaml", pruning={"policy": {"method": "vcast", "temperature": 0.5}})
    assert load_settings([file, "pruning.policy.method=uniform"]).pruning.policy == Uniform()


def test_one_answer_is_read_one_way() -> None:
    selector = "answer.selector.method=closest"
    for key, other in (
        ("memory.archive.max_bytes", "memory.archive.max_bytes=1000000"),
        ("memory.save.folder", "memory.save.folder=memories"),
    ):
        with pytest.raises(ConfigError, match=re.escape(key)):
            load_settings([selector, other])
        load_settings([other])
    load_settings([selector])


@pytest.mark.parametrize(
    ("source", "told"),
    [
        ("pruning.budgt=3", ["pruning.budgt", "unknown key", "budget, policy"]),
        ("budget=3", ["budget", "unknown key", "pruning"]),
        ("pruning.policy.tmp=3", ["pruning.policy.tmp:", "unknown key", "temperature"]),
        ("pruning.policy.method=magic", ["pruning.policy", "'none'", "'vcast'"]),
        ("pruning.policy.temperature=-1", ["temperature must be above 0"]),
        ("pruning=3", ["pruning"]),
        ("answer.selector.method=magic", ["answer.selector", "'closest'", "'qtsplus'"]),
        ("answer.selector.method=fastv", ["answer.selector:", "whole bank", "eval pruning"]),
        ("answer.selector={method: emcompress, mst: 3}", ["answer.selector.mst:", "most, split"]),
        ("answer.selector={method: emcompress, most: 0}", ["answer.selector:", "at least 1 scene"]),
        ("answer.selector.method=qtsplus", ["answer.selector.weights", "required"]),
        ("answer.selector={method: cacovid, weights: a, by_policy: 2}", ["by_policy", "to 1"]),
        ("answer.selector_budget=0", ["answer.selector_budget", "1"]),
        ("memory.save.every_s=-1", ["memory.save.every_s", "0"]),
        ("memory.save.every_s=.inf", ["memory.save.every_s", "finite"]),
        ("memory.save.folder=''", ["memory.save.folder", "1"]),
        ("memory.save.path=x", ["memory.save.path", "unknown key", "every_s, folder"]),
        ("memory.policy.method=magic", ["memory.policy", "'sink_window'", "'stream_mem'"]),
        ("memory.policy={method: hermes, target: 2}", ["memory.policy", "target"]),
        ("memory={policy: {method: hermes}, archive: {max_bytes: 9}}", ["memory", "single tokens"]),
        (
            "memory.archive={max_bytes: 9, disk_bytes: 9, folder: x}",
            ["memory.archive", "host_bytes"],
        ),
        ("memory.archive={max_bytes: 9, host_bytes: 9, disk_bytes: 9}", ["which folder"]),
        ("memory.archive.host_bytes=9", ["memory.archive", "max_bytes"]),
        ("memory.archive.gate.method=never", ["memory.archive.gate", "'past_tense'"]),
        ("memory.archive.codec.bitz=3", ["memory.archive.codec.bitz:", "unknown key"]),
        ("server.port=99999", ["server.port", "65535"]),
        ("model.dtype=int4", ["model.dtype", "'bfloat16'"]),
        ("cameras.a b.url=demo:shapes", ["cameras", "a b"]),
        ("cameras.porch.url=rtsp://${NO_SUCH}@h/", ["cameras.porch.url", "NO_SUCH", "not set"]),
        ("server.api_keys=[{name: a, sha256: mysecretkey}]", ["server.api_keys", "SHA-256"]),
        ("server.api_keys=[{name: a, sha: b}]", ["server.api_keys.0.sha:", "name, role, sha256"]),
        ("no-such-file.yaml", ["no-such-file.yaml", "no such file"]),
        ("x=[1", ["not YAML"]),
    ],
)
def test_a_mistake_is_told_in_one_line(source: str, told: list[str]) -> None:
    with pytest.raises(ConfigError) as error:
        load_settings([source], environment={})
    text = str(error.value)
    assert "\n" not in text
    for part in told:
        assert part in text
    assert "mysecretkey" not in text


def test_a_mistake_in_a_file_names_the_file(tmp_path: Path) -> None:
    good = write(tmp_path, "good.yaml", memory={"capacity": 512})
    bad = write(tmp_path, "bad.yaml", memory={"size": 3})
    with pytest.raises(ConfigError, match=r"bad\.yaml: memory\.size: unknown key"):
        load_settings([good, bad])
    broken = tmp_path / "broken.yaml"
    broken.write_text("memory:\n  - [")
    with pytest.raises(ConfigError, match=r"broken\.yaml: line 2"):
        load_settings([str(broken)])
    broken.write_text("just text")
    with pytest.raises(ConfigError, match="must hold sections"):
        load_settings([str(broken)])


def test_secrets_come_from_the_environment_and_are_masked_when_shown() -> None:
    hash_ = "ab" * 32
    settings = load_settings(
        [
            "cameras.porch.url=rtsp://me:${PASSWORD}@porch/stream",
            f"server.api_keys=[{{name: boss, sha256: {hash_}, role: admin}}]",
        ],
        environment={"PASSWORD": "s3cret"},
    )
    assert settings.cameras["porch"].url.get_secret_value() == "rtsp://me:s3cret@porch/stream"
    shown = as_yaml(masked(settings))
    assert "porch/stream" in shown
    assert "s3cret" not in shown + repr(settings)
    assert hash_ not in shown + repr(settings)


EVERY = (*METHODS, *CHOICES, *POLICIES, *CODECS, *GATES, *SCHEMES, *RULES)


def test_every_setting_has_a_description_and_the_schema_is_complete() -> None:
    schema = json_schema()
    assert set(schema["properties"]) == set(Settings.model_fields)
    methods = {method.__name__ for method in EVERY}
    assert methods <= set(schema["$defs"])
    for name, section in schema["$defs"].items():
        for key, value in section.get("properties", {}).items():
            if name in methods:  # a policy's docstring describes its parameters
                assert key in ("method", "scheme", "rule") or f"{key}:" in section["description"], (
                    f"{name}.{key}"
                )
            else:
                assert value.get("description"), f"{name}.{key}"


def test_what_is_shown_can_be_read_again(tmp_path: Path) -> None:
    file = tmp_path / "shown.yaml"
    file.write_text(as_yaml(masked(load_settings(["pruning.policy.method=random"]))))
    assert load_settings([str(file)]) == load_settings(["pruning.policy.method=random"])
