"""A site's own keys in stack.yml: merged, refused where Docker would, harmful ones named."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from mpigen import site
from mpigen.errors import InputError
from mpigen.stackfile.merge import Addition, merge
from mpigen.stackfile.schema import Part, problems
from tests import sites

ROOT = Path(__file__).parents[2]


def rendered(folder: Path, text: str) -> site.Rendered:
    (folder / "mpigen.yaml").write_text(text, encoding="utf-8")
    return site.render_site(site.at([folder / "mpigen.yaml"], None))


def stack(folder: Path, text: str) -> dict[str, Any]:
    parsed: dict[str, Any] = yaml.safe_load(rendered(folder, text).files["stack.yml"].text)
    return parsed


def refusal(folder: Path, text: str) -> list[str]:
    with pytest.raises(InputError) as caught:
        rendered(folder, text)
    return caught.value.message.replace(f"{folder}/mpigen.yaml:", "").splitlines()


def test_keys_of_a_service_a_network_and_the_file_are_merged(tmp_path: Path) -> None:
    text = """\
name: x
workers:
  - name: cpu
    stack:
      environment: {OMP_NUM_THREADS: 2}
      volumes: ["scratch:/scratch"]
      deploy: {labels: {team: cfd}}
network: {stack: {internal: true}}
stack:
  volumes: {scratch: {driver_opts: {type: nfs, o: "addr=10.0.0.1"}}}
"""
    parsed = stack(tmp_path, text)
    service = parsed["services"]["cpu"]
    assert service["environment"] == {"OMP_NUM_THREADS": 2}
    assert [type(volume) for volume in service["volumes"]] == [dict, str]
    assert service["volumes"][0]["target"] == "/dev/shm"
    assert service["deploy"]["labels"] == {"team": "cfd"}
    assert service["deploy"]["endpoint_mode"] == "dnsrr"
    assert parsed["networks"]["mpi"]["internal"] is True
    assert parsed["volumes"]["scratch"]["driver_opts"]["o"] == "addr=10.0.0.1"
    assert rendered(tmp_path, text).warnings == ()


def test_comments_and_all_that_is_not_touched_stay(tmp_path: Path) -> None:
    plain = rendered(tmp_path, "name: x\n").files["stack.yml"].text
    text = "name: x\nworkers: [{stack: {stop_signal: SIGTERM}}]\n"
    merged = rendered(tmp_path, text).files["stack.yml"].text
    lines = [line.strip().replace('"', "") for line in plain.splitlines() if line.strip()]
    kept = [line.strip().replace('"', "") for line in merged.splitlines() if line.strip()]
    kept.remove("stop_signal: SIGTERM")
    assert kept == lines


@pytest.mark.parametrize(
    "value",
    [
        "$HOME",
        "${X:-y}",
        "yes",
        "0o17",
        "1:30",
        "~",
        "",
        "a: b",
        "# no",
        "\n",
        "{{.Node.ID}}",
        "'\"\\",
    ],
)
def test_text_stays_the_text_that_it_is(tmp_path: Path, value: str) -> None:
    quoted = yaml.safe_dump({"environment": {"A": value}}, default_flow_style=True, width=9999)
    parsed = stack(tmp_path, f"name: x\nworkers: [{{stack: {quoted}}}]\n")
    assert parsed["services"]["worker"]["environment"] == {"A": value.replace("$", "$$")}


@pytest.mark.parametrize("key", ["y", "N", "yes", "on", "null", "a b", "1"])
def test_a_key_stays_the_text_that_it_is(key: str) -> None:
    """Docker's YAML takes y and n for booleans too, and refuses them as keys."""
    merged = merge("a: {}\n", [Addition(("a",), {key: {key: 1}}, "stack")])
    assert merged.count(f'"{key}":') == 2
    assert yaml.safe_load(merged) == {"a": {key: {key: 1}}}


def test_lists_get_more_items_but_a_command_line_is_one_thing() -> None:
    text = "a: {dns: [x], command: [x], list: [p, q], map: {k: }}\n"
    more = {"dns": ["y", "x"], "command": ["y"], "list": {"r": {"s": 1}}, "map": ["m"]}
    parsed = yaml.safe_load(merge(text, [Addition(("a",), more, "stack")]))["a"]
    assert parsed["dns"] == ["x", "y"]
    assert parsed["command"] == ["y"]
    assert parsed["list"] == {"p": None, "q": None, "r": {"s": 1}}
    assert parsed["map"] == {"k": None, "m": None}


def test_a_mapping_that_meets_text_is_refused() -> None:
    addition = Addition(("a",), {"m": "text"}, "workers[0].stack")
    with pytest.raises(InputError, match=r"workers\[0\].stack: a.m is a mapping in stack.yml"):
        merge("a: {m: {k: v}}", [addition])


@pytest.mark.parametrize(
    ("keys", "place", "message"),
    [
        ("enviroment: {A: 1}", "14: enviroment", "this key; did you mean environment?"),
        ("privileged: true", "14: privileged", "ignores this key: a Swarm service cannot"),
        ("stop_grace_period: 30", "14: stop_grace_period", "30 must be text: put it in quotes"),
        ("stop_grace_period: soon", "14: stop_grace_period", "'soon' is no duration: write it"),
        ("deploy: {mode: all}", "23: deploy.mode", "'all' must be one of replicated, global,"),
        ("volumes: [{target: /x}]", "24: volumes[0]", "lacks type"),
        ("ulimits: {core: {soft: 1}}", "24: ulimits.core", "lacks hard"),
        ("networks: 7", "14: networks", "7 is not what docker stack deploy takes here"),
        ("environment: {D: 2026-01-01}", "5: ", "2026-01-01 is read as a date: put it in quotes"),
        ("sysctls: {x: .inf}", "5: ", "inf is no number that Docker reads"),
    ],
)  # fmt: skip
def test_what_docker_would_refuse_is_refused_at_its_place(
    tmp_path: Path, keys: str, place: str, message: str
) -> None:
    (line,) = refusal(tmp_path, f"name: x\nworkers:\n-   stack: {{ {keys} }}\n")
    column, at = place.split(": ")
    dot = "." if at else ""
    assert line.startswith(f"3:{column}: workers[0].stack{dot}{at}: ")
    assert message in line


def test_all_problems_of_all_parts_come_at_once(tmp_path: Path) -> None:
    text = (
        "name: x\nstack: {serices: {}}\nnetwork: {stack: {attachible: no}}\nworkers: [{slots: 0}]\n"
    )
    assert [line.split(": ")[1] for line in refusal(tmp_path, text)] == [
        "stack.serices",
        "network.stack.attachible",
        "workers[0].slots",
    ]


@pytest.mark.parametrize(
    ("keys", "names"),
    [
        ("cap_add: [NET_ADMIN]", "services.worker.cap_add is ['NET_ADMIN']"),
        ("user: root", "services.worker.user is 'root'"),
        ("user: '0'", "services.worker.user is '0'"),
        ("ports: ['2222:2222']", "services.worker.ports is ['2222:2222']"),
        ("init: false", "services.worker.init is False"),
        ("healthcheck: {disable: true}", "services.worker.healthcheck.disable is True"),
        ("healthcheck: {test: 'true'}", "services.worker.healthcheck.test is 'true'"),
        ("entrypoint: [sleep]", "services.worker.entrypoint is ['sleep']"),
        ("command: sleep 9", "services.worker.command is 'sleep 9'"),
        ("hostname: me", "services.worker.hostname is 'me'"),
        ("image: other", "services.worker.image is 'other'"),
        ("deploy: {replicas: 9}", "services.worker.deploy.replicas is 9"),
        ("deploy: {mode: global}", "services.worker.deploy.mode is 'global'"),
        ("deploy: {endpoint_mode: vip}", "services.worker.deploy.endpoint_mode is 'vip'"),
        ("cap_drop: [NET_RAW]", "services.worker.cap_drop is ['ALL', 'NET_RAW']"),
    ],
)
def test_what_security_or_mpi_need_is_not_undone_silently(
    tmp_path: Path, keys: str, names: str
) -> None:
    (warning,) = rendered(tmp_path, f"name: x\nworkers: [{{stack: {{{keys}}}}}]\n").warnings
    assert warning.startswith(f"stack.yml: {names}; ")


def test_the_network_and_a_replaced_file_are_watched_too(tmp_path: Path) -> None:
    text = "name: x\nnetwork: {stack: {attachable: false, driver: bridge}}\n"
    assert [warning.split("; ")[0] for warning in rendered(tmp_path, text).warnings] == [
        "stack.yml: networks.mpi.driver is 'bridge'",
        "stack.yml: networks.mpi.attachable is False",
    ]
    sites.template(tmp_path, "stack.yml.j2", 'version: "3.8"\nservices: {other: {image: x}}\n')
    warnings = rendered(tmp_path, "name: x\n").warnings
    assert "stack.yml: services.worker is gone: jobs wait for its 2 containers" in warnings


def test_a_replaced_file_that_docker_would_refuse_is_refused(tmp_path: Path) -> None:
    sites.template(tmp_path, "stack.yml.j2", "services: {worker: {imag: x}}\n")
    (line,) = refusal(tmp_path, "name: x\n")
    assert line.startswith("templates/stack.yml.j2 gives a stack.yml with services.worker.imag: ")
    assert line.endswith("did you mean image?")
    (line,) = refusal(tmp_path, "name: x\nnetwork: {stack: {internal: true}}\n")
    assert line == "network.stack: the site's own stack.yml has no networks.mpi"


@pytest.mark.parametrize("part", ["stack", "service", "network"])
def test_nothing_is_no_problem(part: Part) -> None:
    assert problems({}, part) == []


def test_mpigen_s_own_stack_file_passes_its_own_check() -> None:
    parsed = yaml.safe_load((ROOT / "output" / "stack.yml").read_text(encoding="utf-8"))
    assert problems(parsed, "stack") == []
