"""What `docker stack deploy` takes, by the schema of stack files."""

from pathlib import Path

import pytest
import yaml

from mpigen.stackfile.keys import Part
from mpigen.stackfile.schema import problems
from mpigen.stackfile.versions import VERSIONS
from tests import sites
from tests.conftest import ROOT


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


@pytest.mark.parametrize(
    ("engine", "version"),
    [
        ("20.10", "3.8"),
        ("20.10.24", "3.8"),
        ("23.0", "3.10"),
        ("24.0", "3.11"),
        ("25.0", "3.12"),
        ("26.1", "3.12"),
        ("27.0", "3.13"),
        ("28", "3.13"),
        ("29", "3.13"),
        ("29.5.1", "3.13"),
    ],
)
def test_the_stack_file_is_the_newest_that_all_clients_take(
    tmp_path: Path, engine: str, version: str
) -> None:
    text = f'name: x\nengine: {{minimum: "{engine}"}}\n'
    assert yaml.safe_load(sites.artifacts(tmp_path, text)["stack.yml"].text)["version"] == version


@pytest.mark.parametrize(
    ("keys", "place", "engine"),
    [
        ("healthcheck: {start_interval: 1s}", "healthcheck.start_interval", "25.0"),
        ("networks: {mpi: {driver_opts: {a: b}}}", "networks.mpi.driver_opts", "27.0"),
        ("oom_score_adj: 9", "oom_score_adj", "27.1"),
        ("volumes: [{type: cluster, source: v, target: /v}]", "volumes[0].type", "23.0"),
    ],
)
def test_a_key_of_newer_engines_is_taken_where_all_are_newer(
    tmp_path: Path, keys: str, place: str, engine: str
) -> None:
    site = f"name: x\nworkers: [{{stack: {{ {keys} }}}}]\nstack: {{volumes: {{v: }}}}\n"
    (line,) = sites.refusal(tmp_path, site)
    assert f"workers[0].stack.{place}: needs Docker {engine}: set engine: " in line
    assert line.endswith(f"{{minimum: '{engine}'}}")
    text = sites.rendered(tmp_path, f'engine: {{minimum: "{engine}"}}\n{site}').files["stack.yml"]
    assert keys.split(":")[0] in yaml.safe_load(text.text)["services"]["worker"]


def test_jobs_of_swarm_need_the_release_that_brought_them(tmp_path: Path) -> None:
    site = "name: x\nstack: {services: {job: {image: y, deploy: {mode: replicated-job}}}}\n"
    (line,) = sites.refusal(tmp_path, site)
    assert line.startswith("2:45: stack.services.job.deploy.mode: needs Docker 23.0: set engine")
    sites.rendered(tmp_path, f'engine: {{minimum: "23.0"}}\n{site}')


def test_keys_and_mpigens_own_of_newer_engines_go_together(tmp_path: Path) -> None:
    """Its own health check has start_interval, and a merged file is looked at as a whole."""
    text = "name: x\nengine: {minimum: '25.0'}\nworkers: [{stack: {labels: {a: b}}}]\n"
    assert "start_interval" in sites.rendered(tmp_path, text).files["stack.yml"].text


def test_only_a_key_that_needs_it_changes_the_version_for_the_oldest_engine(tmp_path: Path) -> None:
    site = "name: x\nworkers: [{stack: {KEYS}}]\n"
    limits = "deploy: {resources: {limits: {pids: 100}}}"
    for keys, version in ((limits, "3.9"), ("tty: true", "3.8")):
        text = sites.rendered(tmp_path, site.replace("KEYS", keys)).files["stack.yml"].text
        assert yaml.safe_load(text)["version"] == version


@pytest.mark.parametrize(
    ("engine", "version", "message"),
    [
        ("20.10", 'version: "3.12"', "version: 3.12 needs Docker 25.0: set engine"),
        ("20.10", "", "version: is missing: clients before Docker 23.0"),
        ("25.0", 'version: "3.8"', "start_interval: needs a stack file of version 3.12"),
        ("25.0", 'version: "3.14"', "version: '3.14' is not a version of a stack file"),
        ("25.0", 'version: "3.12"', ""),
        ("25.0", "", ""),
    ],
)
def test_a_stack_file_of_the_sites_own_is_held_to_its_own_version(
    tmp_path: Path, engine: str, version: str, message: str
) -> None:
    own = sites.artifacts(tmp_path, f'name: x\nengine: {{minimum: "{engine}"}}\n')["stack.yml"].text
    lines = own.splitlines(keepends=True)
    lines = [f"{version}\n" if line.startswith("version:") else line for line in lines]
    sites.template(tmp_path, "stack.yml", "".join(lines))
    site = f'name: x\nengine: {{minimum: "{engine}"}}\n'
    if message:
        (line,) = sites.refusal(tmp_path, site)
        assert message in line
    else:
        sites.rendered(tmp_path, site)


def test_a_key_that_docker_drops_is_warned_of(tmp_path: Path) -> None:
    text = "name: x\nengine: {minimum: '28.0'}\nworkers: [{stack: {oom_score_adj: 9}}]\n"
    (warning,) = sites.rendered(tmp_path, text).warnings
    assert "services.worker.oom_score_adj is 9; docker stack deploy of Docker 27.1" in warning


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
    assert problems({}, part, (20, 10)) == []


def test_the_documents_have_every_version_and_its_release() -> None:
    table = (ROOT / "docs/customising.md").read_text("utf-8")
    for version, (major, minor) in VERSIONS.items():
        if version not in ("3.8", "3.9"):
            assert f"| {major}.{minor} | {version} | " in table
    assert "| 20.10 | 3.8, or 3.9 with its new key | " in table
