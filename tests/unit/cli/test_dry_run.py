"""A plan in lines and as JSON."""

import json

import pytest

from mpigen.cli import dry_run
from mpigen.stack.changes import Change
from mpigen.stack.plan import Plan
from mpigen.stack.specs import Difference
from tests.conftest import Mpigen

IMAGE = Difference(("TaskTemplate", "ContainerSpec", "Image"), "x:1", "x:2")
SECRETS = Difference(
    ("TaskTemplate", "ContainerSpec", "Secrets"), [{"SecretName": "old"}], [{"SecretName": "new"}]
)
CHANGES = (
    Change("create", "secret", "new"),
    Change("change", "service", "s_cpu", (IMAGE, SECRETS), replaced=3, removed=1),
    Change("none", "service", "s_same"),
    Change("remove", "secret", "old"),
    Change("leave", "service", "s_gone"),
)


def plan(
    changes: tuple[Change, ...] = CHANGES,
    refused: tuple[str, ...] = (),
    jobs: tuple[str, ...] = (),
    ends_jobs: bool = False,
) -> Plan:
    return Plan("s", changes, refused, jobs, ends_jobs, ())


def test_the_lines_of_a_plan() -> None:
    assert list(dry_run.lines(plan(jobs=("night",), ends_jobs=True))) == [
        "dry run of deploying s: nothing is changed",
        "  + secret new",
        "  ~ service s_cpu: 3 containers replaced, 1 container removed",
        "      ~ image: x:1 -> x:2",
        "      - secrets: old",
        "      + secrets: new",
        "  - secret old",
        "  = service s_gone: not in stack.yml, but kept: docker service rm s_gone",
        "1 to create, 1 to change, 1 to remove; containers: 0 to start, 3 to replace, 1 to remove",
        "this ends running jobs: night",
        "next: wait for the jobs, or mpigen deploy --force",
    ]


def test_which_jobs_end_is_said_as_far_as_it_is_known() -> None:
    assert "no running job would end" in dry_run.lines(plan())
    assert "this may end running jobs, if they use those containers: night" in dry_run.lines(
        plan(jobs=("night",))
    )
    refused = list(dry_run.lines(plan((), ("the subnet",), ("night",))))
    assert "  ! deploy would refuse: the subnet" in refused and "running jobs: night" in refused
    assert not [line for line in refused if line.startswith("no changes")]


def test_a_value_neither_steers_a_terminal_nor_fills_it(capsys: pytest.CaptureFixture[str]) -> None:
    evil = Difference(("Labels", "x"), "\x1b[31m", "y" * 500)
    dry_run.show(plan((Change("change", "service", "s_cpu", (evil,)),)), False)
    out = capsys.readouterr().out
    assert "\x1b" not in out and max(map(len, out.splitlines())) < 120


def test_colours_are_for_terminals(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    dry_run.show(plan(), False)
    assert "\x1b" not in capsys.readouterr().out
    monkeypatch.setattr(dry_run, "wants_colour", lambda: True)
    styled: list[tuple[str, object]] = []
    monkeypatch.setattr(dry_run.typer, "style", lambda text, fg: styled.append((text, fg)) or text)
    dry_run.show(plan(), False)
    colours = {text.split()[0]: colour for text, colour in styled}
    assert colours == {"+": "green", "~": "yellow", "-": "red"}


def test_json_has_what_the_lines_have(capsys: pytest.CaptureFixture[str]) -> None:
    dry_run.show(plan(), True)
    said = json.loads(capsys.readouterr().out)
    assert [each["action"] for each in said["changes"]] == ["create", "change", "remove", "leave"]
    image, _ = said["changes"][1]["differences"]
    assert (image["before"], image["after"], image["replaces_containers"]) == ("x:1", "x:2", True)
    assert said["empty"] is False and said["jobs"] == {"running": [], "all_end": False}


def test_json_is_of_the_dry_run_alone(mpigen: Mpigen) -> None:
    done = mpigen("deploy", "--json")
    assert done.code == 2 and "mpigen deploy --dry-run --json" in done.err
