"""What a site's own keys undo of what MPI and security need."""

from pathlib import Path

import pytest
import yaml

from mpigen.stackfile.schema import file_problems
from tests import sites

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize(
    ("keys", "names"),
    [
        ("cap_add: [NET_ADMIN]", "services.worker.cap_add is ['NET_ADMIN']"),
        ("user: root", "services.worker.user is 'root'"),
        ("user: '0'", "services.worker.user is '0'"),
        (
            "ports: [{mode: host, target: 9}]",
            "services.worker.ports is [{'mode': 'host', 'target': 9}]",
        ),
        ("init: false", "services.worker.init is False"),
        ("healthcheck: {disable: true}", "services.worker.healthcheck.disable is True"),
        ("healthcheck: {test: 'true'}", "services.worker.healthcheck.test is 'true'"),
        ("entrypoint: [sleep]", "services.worker.entrypoint is ['sleep']"),
        ("command: sleep 9", "services.worker.command is 'sleep 9'"),
        ("hostname: 'x-{{.Task.Slot}}'", "services.worker.hostname is 'x-{{.Task.Slot}}'"),
        ("image: other", "services.worker.image is 'other'"),
        ("deploy: {endpoint_mode: vip}", "services.worker.deploy.endpoint_mode is 'vip'"),
        ("cap_drop: [NET_RAW]", "services.worker.cap_drop is ['ALL', 'NET_RAW']"),
    ],
)
def test_what_security_or_mpi_need_is_not_undone_silently(
    tmp_path: Path, keys: str, names: str
) -> None:
    (warning,) = sites.rendered(tmp_path, f"name: x\nworkers: [{{stack: {{{keys}}}}}]\n").warnings
    assert warning.startswith(f"stack.yml: {names}; ")


def test_the_network_and_a_replaced_file_are_watched_too(tmp_path: Path) -> None:
    text = 'version: "3.8"\nservices: {other: {image: x}}\n'
    text += "networks: {mpi: {attachable: false, driver: bridge}}\n"
    sites.template(tmp_path, "stack.yml.j2", text)
    warnings = sites.rendered(tmp_path, "name: x\n").warnings
    assert {
        "stack.yml: networks.mpi.driver is 'bridge'; the workers are on several servers",
        "stack.yml: networks.mpi.attachable is False; jobs attach themselves to it",
    } <= {*warnings}
    assert "stack.yml: services.worker is missing: jobs wait for its 2 containers" in warnings


def test_a_replaced_file_that_docker_would_refuse_is_refused(tmp_path: Path) -> None:
    sites.template(tmp_path, "stack.yml.j2", "version: '3.8'\nservices: {worker: {imag: x}}\n")
    (line,) = sites.refusal(tmp_path, "name: x\n")
    assert line.startswith("templates/stack.yml.j2 gives a stack.yml with services.worker.imag: ")
    assert line.endswith("did you mean image?")
    (line,) = sites.refusal(tmp_path, "name: x\nnetwork: {stack: {internal: true}}\n")
    assert line == "network.stack: the site's own stack.yml has no networks.mpi"


def test_mpigen_s_own_stack_file_passes_its_own_check() -> None:
    parsed = yaml.safe_load((ROOT / "output" / "stack.yml").read_text(encoding="utf-8"))
    assert file_problems(parsed, (20, 10)) == []
