"""The doctor finds what is wrong, names the remedy, and never falls ill himself."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from stream import doctor
from stream.cli import execute
from stream.configuration import load_settings
from stream.settings import Settings
from tests.certificates import certificate


def settings(**server: object) -> Settings:
    return load_settings([], {"server": {"port": 0, **server}})


def test_every_check_finds_something_to_say_about_this_machine() -> None:
    findings = doctor.examine(settings())
    assert len(findings) == len(doctor.CHECKS)
    for finding in findings:
        assert finding.text
        assert finding.level == "ok" or finding.remedy, finding


@pytest.mark.parametrize(("wanted", "level"), [("auto", "ok"), ("cpu", "ok"), ("cuda", "fail")])
def test_what_decodes_video_is_named(wanted: str, level: str) -> None:
    finding = doctor.decoder(load_settings(["model.device=cpu", f"image.decoder={wanted}"]))
    assert finding.level == level and finding.text.startswith("the processor")


def test_a_port_in_use_fails_with_a_remedy() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        finding = doctor.port(settings(port=taken.getsockname()[1]))
    assert finding.level == "fail"
    assert "--port" in finding.remedy


def test_an_open_server_without_a_key_fails_and_an_opted_out_one_is_warned() -> None:
    assert doctor.login(settings(host="0.0.0.0")).level == "fail"
    assert doctor.login(settings(host="0.0.0.0", allow_anyone=True)).level == "warn"


@pytest.mark.parametrize(("days", "level"), [(100, "ok"), (5, "warn"), (-2, "fail")])
def test_a_certificate_is_judged_by_its_date(tmp_path: Path, days: int, level: str) -> None:
    pem, key = certificate(tmp_path, days)
    assert doctor.tls(settings(tls_certificate=pem, tls_key=key)).level == level


def test_a_certificate_that_is_missing_or_has_another_key_fails(tmp_path: Path) -> None:
    pem, _ = certificate(tmp_path, 100)
    other = tmp_path / "other"
    other.mkdir()
    _, key = certificate(other, 100)
    assert doctor.tls(settings(tls_certificate=pem, tls_key=key)).level == "fail"
    assert doctor.tls(settings(tls_certificate="/no/such.pem")).level == "fail"


def test_the_reader_of_attention_is_named_and_why_the_others_are_not_it() -> None:
    finding = doctor.attention(load_settings(["model.device=cpu"]))
    assert finding.level == "ok"
    assert finding.text.startswith("computed by sdpa; ")
    for other in ("varlen: needs", "flash: ", "triton: "):
        assert other in finding.text


def test_a_reader_that_is_asked_for_and_cannot_work_here_fails_with_the_reason() -> None:
    finding = doctor.attention(load_settings(["model.device=cpu", "engine.reader=triton"]))
    assert finding.level == "fail"
    assert "engine.reader: triton: " in finding.text


def test_a_gpu_that_is_asked_for_and_missing_fails() -> None:
    import torch

    wanted = load_settings(["model.device=cuda"])
    level = doctor.gpu(wanted).level
    assert level == ("ok" if torch.cuda.is_available() else "fail")


def test_a_check_that_breaks_is_a_finding_and_the_others_go_on() -> None:
    def broken(settings: Settings) -> doctor.Finding:
        raise RuntimeError("half installed")

    first, second = doctor.examine(settings(), [broken, doctor.python])
    assert (first.level, second.level) == ("fail", "ok")
    assert "half installed" in first.text


def test_the_command_prints_a_line_each_and_fails_when_a_check_does(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert execute(["doctor", "-c", "server.host=0.0.0.0"]) == 1
    lines = capsys.readouterr().out.strip().splitlines()
    assert len(lines) == len(doctor.CHECKS) + 1
    assert any(line.startswith("fail login") and "->" in line for line in lines)
