"""What `docker stack deploy` takes, by the schema of stack files."""

from pathlib import Path

import pytest

from mpigen.stackfile.schema import Part, problems
from tests import sites


@pytest.mark.parametrize(
    ("keys", "place", "message"),
    [
        ("enviroment: {A: 1}", "14: enviroment", "this key; did you mean environment?"),
        ("privileged: true", "14: privileged", "ignores this key: a Swarm service cannot"),
        ("stop_grace_period: 30", "14: stop_grace_period", "30 must be text: put it in quotes"),
        ("stop_grace_period: soon", "14: stop_grace_period", "'soon' is not a duration: write it"),
        ("deploy: {mode: all}", "23: deploy.mode", "'all' must be one of replicated, global,"),
        ("volumes: [{target: /x}]", "24: volumes[0]", "lacks type"),
        ("ulimits: {core: {soft: 1}}", "24: ulimits.core", "lacks hard"),
        ("networks: 7", "14: networks", "7 is not what docker stack deploy accepts here"),
        ("environment: {D: 2026-01-01}", "28: environment.D", "2026-01-01 is read as a date: put"),
        ("sysctls: {x: .inf}", "24: sysctls.x", "inf is not a number that Docker accepts"),
    ],
)  # fmt: skip
def test_what_docker_would_refuse_is_refused_at_its_place(
    tmp_path: Path, keys: str, place: str, message: str
) -> None:
    (line,) = sites.refusal(tmp_path, f"name: x\nworkers:\n-   stack: {{ {keys} }}\n")
    column, at = place.split(": ")
    dot = "." if at else ""
    assert line.startswith(f"3:{column}: workers[0].stack{dot}{at}: ")
    assert message in line


def test_a_key_of_newer_engines_is_taken_where_all_are_newer(tmp_path: Path) -> None:
    site = "name: x\nworkers: [{stack: {healthcheck: {start_interval: 1s}}}]\n"
    (line,) = sites.refusal(tmp_path, site)
    assert line.startswith("2:34: workers[0].stack.healthcheck.start_interval: needs Docker 25.0")
    assert line.endswith("set engine: {minimum: '25.0'}")
    # mpigen's own health check has it too, which is looked at with the site's keys in the file
    newer = 'engine: {minimum: "25.0"}\n'
    for text in (newer + site, f"{newer}name: x\nworkers: [{{stack: {{labels: {{a: b}}}}}}]\n"):
        assert "start_interval" in sites.artifacts(tmp_path, text)["stack.yml"].text


def test_all_problems_of_all_parts_come_at_once(tmp_path: Path) -> None:
    text = (
        "name: x\nstack: {serices: {}}\nnetwork: {stack: {attachible: no}}\nworkers: [{slots: 0}]\n"
    )
    assert [line.split(": ")[1] for line in sites.refusal(tmp_path, text)] == [
        "stack.serices",
        "network.stack.attachible",
        "workers[0].slots",
    ]


@pytest.mark.parametrize("part", ["stack", "service", "network"])
def test_nothing_is_no_problem(part: Part) -> None:
    assert problems({}, part) == []
