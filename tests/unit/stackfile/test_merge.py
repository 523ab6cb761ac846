"""A site's own keys in stack.yml: merged, refused where Docker would, harmful ones named."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from mpigen.errors import InputError
from mpigen.stackfile.merge import Addition, merge
from tests import sites


def stack(folder: Path, text: str) -> dict[str, Any]:
    parsed: dict[str, Any] = yaml.safe_load(sites.rendered(folder, text).files["stack.yml"].text)
    return parsed


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
    assert sites.rendered(tmp_path, text).warnings == ()


def test_comments_and_all_that_is_not_touched_stay(tmp_path: Path) -> None:
    plain = sites.rendered(tmp_path, "name: x\n").files["stack.yml"].text
    text = "name: x\nworkers: [{stack: {stop_signal: SIGTERM}}]\n"
    merged = sites.rendered(tmp_path, text).files["stack.yml"].text
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
