"""What mpigen renders and refuses, held against a node's own client; keys: tests/unit/stackfile."""

import json
from pathlib import Path
from typing import Any

import yaml
from hypothesis import HealthCheck, example, given, settings

from mpigen.lab import lab
from mpigen.stackfile import schema
from tests import configs, sites, stackfiles
from tests.swarm.conftest import ROOT, Done, call, check

# of a kind that Docker's schema takes, where text is not
IGNORED: dict[str, Any] = {
    "depends_on": ["worker"],
    "devices": ["/dev/fuse"],
    "expose": ["9"],
    "external_links": ["x"],
    "links": ["x"],
    "privileged": True,
    "security_opt": ["x"],
}


def docker(the_lab: lab.Lab, folder: Path, verb: str, stack: dict[str, Any] | str) -> Done:
    """What a node's own client says: this machine's may be too old for `stack config`."""
    text = stack if isinstance(stack, str) else yaml.safe_dump(stack)
    (folder / "stack.yml").write_text(text, encoding="utf-8")
    node = the_lab.nodes[0].container_id
    check("docker", "cp", folder / "stack.yml", f"{node}:/tmp/stack.yml")
    return call("docker", "exec", node, "docker", "stack", *verb.split())


def test_every_key_that_we_know_the_nodes_client_takes(the_lab: lab.Lab, tmp_path: Path) -> None:
    done = docker(the_lab, tmp_path, "config -c /tmp/stack.yml", stackfiles.stack("3.12", (25, 0)))
    assert done.code == 0, done.err


def test_what_we_say_docker_ignores_it_ignores(the_lab: lab.Lab, tmp_path: Path) -> None:
    keys = {key: IGNORED.get(key, "x") for key in schema._IGNORED}
    ignored = {
        path[-1]
        for path, message in schema.problems(keys, "service", (25, 0))
        if "ignores" in message
    }
    assert ignored == set(keys)
    service = {"image": "x", "deploy": {"replicas": 0}, **keys}
    stack = {"version": "3.12", "services": {"worker": service}}
    try:
        done = docker(the_lab, tmp_path, "deploy --detach=true -c /tmp/stack.yml ignored", stack)
        said = done.out + done.err
        not_named = {key for key in keys if key not in said}
        # read as the network's and the order's, and without effect in a Swarm
        assert not_named <= {"depends_on", "network_mode"}, said
    finally:
        docker(the_lab, tmp_path, "rm ignored", stack)


def test_docker_takes_the_stack_of_each_example(the_lab: lab.Lab, tmp_path: Path) -> None:
    stacks = sorted(ROOT.glob("examples/*/output/stack.yml"))
    assert stacks
    for path in stacks:
        stack = yaml.safe_load(path.read_text(encoding="utf-8"))
        done = docker(the_lab, tmp_path, "config -c /tmp/stack.yml", stack)
        assert (done.code, done.err) == (0, ""), (path, done.err)


EVERY_KIND = """\
name: every
launcher: {constraints: [node.role==manager]}
network: {internal: true, encrypted: true, mtu: 9000}
storage:
  - {target: /data, source: data}
  - {target: /in, type: bind, source: /srv/in, read_only: true}
  - {target: /home/all, type: nfs, server: files.example.org, source: /export, options: hard}
  - {target: /scratch, type: tmpfs, size: 64m}
workers:
  - {name: gpu, memory: 1g, generic: {GPU: 2, fpga: 1}}
  - {name: all, mode: global}
  - {name: seen, stack: {labels: {a: b}, deploy: {labels: {team: cfd}}}}
"""


def test_docker_reads_every_kind_of_group_and_storage_as_we_mean_it(
    the_lab: lab.Lab, tmp_path: Path
) -> None:
    text = sites.artifacts(tmp_path, EVERY_KIND)["stack.yml"].text
    done = docker(the_lab, tmp_path, "config -c /tmp/stack.yml", text)
    assert (done.code, done.err) == (0, "")
    read = yaml.safe_load(done.out)
    services, volumes = read["services"], read["volumes"]
    reserved = services["gpu"]["deploy"]["resources"]["reservations"]["generic_resources"]
    asked = [each["discrete_resource_spec"] for each in reserved]
    assert asked == [{"kind": "GPU", "value": 2}, {"kind": "fpga", "value": 1}]
    assert services["all"]["deploy"]["mode"] == "global"
    assert services["seen"]["labels"] == {"a": "b"}
    assert services["seen"]["deploy"]["labels"] == {"team": "cfd"}
    options = {"type": "nfs", "o": "addr=files.example.org,rw,hard", "device": ":/export"}
    assert volumes["home_all"] == {"driver": "local", "driver_opts": options}
    for service in services.values():
        mounts = {each["target"]: each for each in service["volumes"]}
        assert mounts["/home/all"]["source"] == "home_all"
        assert mounts["/home/all"]["volume"] == {"nocopy": True}
        assert mounts["/data"] == {"type": "volume", "source": "data", "target": "/data"}
        assert mounts["/in"]["read_only"] is True and mounts["/in"]["type"] == "bind"
        assert mounts["/scratch"]["tmpfs"] == {"size": 64 * 1024**2}
    assert read["networks"]["mpi"]["internal"] is True


@settings(
    max_examples=25,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(data=configs.sites)
@example(data={"name": "a", "workers": [{"name": "y", "stack": {"environment": {"n": "on"}}}]})
def test_docker_takes_the_stack_of_any_valid_site(
    the_lab: lab.Lab, tmp_path: Path, data: configs.Data
) -> None:
    (tmp_path / "app").mkdir(exist_ok=True)
    text = sites.artifacts(tmp_path, json.dumps(data, ensure_ascii=False))["stack.yml"].text
    done = docker(the_lab, tmp_path, "config -c /tmp/stack.yml", text)
    assert done.code == 0, (done.err, text)
    for group in data.get("workers", []):
        taken = yaml.safe_load(done.out)["services"][group["name"]].get("environment", {})
        said = group.get("stack", {}).get("environment", {})
        assert taken == {name: str(value) for name, value in said.items()}
