"""What mpigen holds for a stack file that Docker takes, held against Docker's own client."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, example, given, settings

from mpigen.lab import lab
from mpigen.stackfile import schema
from tests import configs, sites
from tests.swarm.conftest import ROOT, Done, call, check

# every key that a service may have
SERVICE: dict[str, Any] = {
    "cap_add": ["SYS_PTRACE"],
    "cap_drop": ["ALL"],
    "command": ["worker"],
    "configs": [{"source": "motd", "target": "/etc/motd", "uid": "1", "gid": "1", "mode": 0o444}],
    "credential_spec": {"file": "x.json"},
    "deploy": {
        "mode": "replicated",
        "replicas": 0,
        "endpoint_mode": "dnsrr",
        "labels": {"a": "b"},
        "update_config": {
            "parallelism": 0,
            "delay": "1s",
            "failure_action": "rollback",
            "monitor": "1m30s",
            "max_failure_ratio": 0.1,
            "order": "stop-first",
        },
        "rollback_config": {"parallelism": 1},
        "restart_policy": {"condition": "any", "delay": "2s", "max_attempts": 3, "window": "1m"},
        "placement": {
            "constraints": ["node.role==worker"],
            "preferences": [{"spread": "node.labels.rack"}],
            "max_replicas_per_node": 1,
        },
        "resources": {
            "limits": {"cpus": "1.5", "memory": "1g"},
            "reservations": {
                "cpus": "1",
                "memory": "1g",
                "generic_resources": [{"discrete_resource_spec": {"kind": "GPU", "value": 1}}],
            },
        },
    },
    "dns": "192.0.2.1",
    "dns_search": ["example.org"],
    "entrypoint": "/entry",
    "env_file": [],
    "environment": ["A=1"],
    "extra_hosts": ["nfs:192.0.2.2"],
    "healthcheck": {
        "test": "true",
        "disable": False,
        "interval": "5s",
        "timeout": "500ms",
        "start_period": "1m",
        "retries": 3,
    },
    "hostname": "worker",
    "image": "x",
    "init": True,
    "isolation": "default",
    "labels": {"a": "b"},
    "logging": {"driver": "json-file", "options": {"max-size": "10m"}},
    "networks": {"mpi": {"aliases": ["w"]}},
    "ports": ["80:80", {"target": 81, "published": 81, "protocol": "tcp", "mode": "host"}],
    "read_only": True,
    "secrets": ["token", {"source": "token", "target": "/t", "uid": "1", "mode": 0o400}],
    "stdin_open": True,
    "stop_grace_period": "10s",
    "stop_signal": "SIGTERM",
    "sysctls": {"net.core.somaxconn": 1024},
    "tmpfs": "/tmp",
    "tty": True,
    "ulimits": {"memlock": {"soft": 1, "hard": 2}, "nofile": 1024},
    "user": "1000:1000",
    "volumes": ["data:/data", {"type": "tmpfs", "target": "/t", "tmpfs": {"size": 4096}}],
    "working_dir": "/",
}
STACK: dict[str, Any] = {
    "version": "3.8",
    "services": {"worker": SERVICE},
    "networks": {
        "mpi": {
            "driver": "overlay",
            "driver_opts": {"a": "b"},
            "ipam": {"driver": "default", "config": [{"subnet": "10.1.0.0/24"}]},
            "attachable": True,
            "internal": False,
            "labels": ["a=b"],
        },
        "theirs": {"external": True, "name": "theirs"},
    },
    "volumes": {"data": {"driver": "local", "driver_opts": {"type": "nfs"}, "labels": {"a": "b"}}},
    "secrets": {"token": {"file": "token", "name": "token-1"}},
    "configs": {"motd": {"external": True}},
    "x-ours": {"any": "thing"},
}
REFUSED = [
    {"enviroment": {"A": 1}},
    {"stop_grace_period": 30},
    {"stop_grace_period": "soon"},
    {"volumes": [{"target": "/x"}]},
    {"ulimits": {"core": {"soft": 1}}},
    {"networks": 7},
    {"init": "yes"},
    {"deploy": {"replicas": "2"}},
    {"deploy": {"resources": {"limits": {"cpus": 1.5}}}},
    {"deploy": {"update_config": {"order": "any"}}},
    {"healthcheck": {"interval": 5}},
    {"healthcheck": {"start_interval": "1s"}},
    {"ports": [{"target": "80"}]},
    {"cap_add": ["A", "A"]},
]
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


def test_every_key_that_we_know_docker_takes(the_lab: lab.Lab, tmp_path: Path) -> None:
    # mypy cannot follow a schema
    keys = schema._validator("service").schema["$defs"]["service"]["properties"]  # type: ignore[index]
    assert set(SERVICE) == set(keys)
    assert schema.problems(STACK, "stack") == []
    done = docker(the_lab, tmp_path, "config -c /tmp/stack.yml", STACK)
    assert done.code == 0, done.err


def test_a_key_of_newer_engines_is_taken_in_a_file_of_theirs(
    the_lab: lab.Lab, tmp_path: Path
) -> None:
    service = {"image": "x", "healthcheck": {"test": "true", "start_interval": "1s"}}
    stack = {"version": "3.12", "services": {"worker": service}}
    assert schema.problems(stack, "stack", quick=True) == []
    assert docker(the_lab, tmp_path, "config -c /tmp/stack.yml", stack).code == 0


@pytest.mark.parametrize("keys", REFUSED, ids=str)
def test_what_we_refuse_docker_refuses(
    the_lab: lab.Lab, tmp_path: Path, keys: dict[str, Any]
) -> None:
    assert schema.problems(keys, "service") != []
    stack = {"version": "3.8", "services": {"worker": {"image": "x", **keys}}}
    assert docker(the_lab, tmp_path, "config -c /tmp/stack.yml", stack).code != 0


def test_what_we_say_docker_ignores_it_ignores(the_lab: lab.Lab, tmp_path: Path) -> None:
    keys = {key: IGNORED.get(key, "x") for key in schema._IGNORED}
    ignored = {
        path[-1] for path, message in schema.problems(keys, "service") if "ignores" in message
    }
    assert ignored == set(keys)
    service = {"image": "x", "deploy": {"replicas": 0}, **keys}
    stack = {"version": "3.8", "services": {"worker": service}}
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
