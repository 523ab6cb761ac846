"""Stack files with every key that Docker's client takes, and what the client says of them."""

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from mpigen.stackfile.versions import VERSIONS, Release, release

Keys = tuple[str, ...]

# every key that a service may have, whatever the version of its stack file
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
        "rollback_config": {
            "parallelism": 1,
            "delay": "1s",
            "failure_action": "pause",
            "monitor": "1m",
            "max_failure_ratio": 0.1,
            "order": "stop-first",
        },
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
    "networks": {
        "mpi": {"aliases": ["w"], "ipv4_address": "192.0.2.3", "ipv6_address": "2001:db8::3"}
    },
    "ports": ["80:80", {"target": 81, "published": 81, "protocol": "tcp", "mode": "host"}],
    "read_only": True,
    "secrets": [
        "token",
        {"source": "token", "target": "/t", "uid": "1", "gid": "1", "mode": 0o400},
    ],
    "stdin_open": True,
    "stop_grace_period": "10s",
    "stop_signal": "SIGTERM",
    "sysctls": {"net.core.somaxconn": 1024},
    "tmpfs": "/tmp",
    "tty": True,
    "ulimits": {"memlock": {"soft": 1, "hard": 2}, "nofile": 1024},
    "user": "1000:1000",
    "volumes": [
        "data:/data",
        {"type": "tmpfs", "target": "/t", "tmpfs": {"size": 4096}},
        {"type": "volume", "source": "data", "target": "/v", "volume": {"nocopy": True}},
        {
            "type": "bind",
            "source": "/srv",
            "target": "/b",
            "read_only": True,
            "consistency": "cached",
            "bind": {"propagation": "private"},
        },
    ],
    "working_dir": "/",
}
STACK: dict[str, Any] = {
    "services": {
        "worker": SERVICE,
        "by-config": {"image": "x", "credential_spec": {"config": "motd"}},
        "by-registry": {"image": "x", "credential_spec": {"registry": "x"}},
    },
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
        "older": {"external": {"name": "older"}},
    },
    "volumes": {
        "data": {"driver": "local", "driver_opts": {"type": "nfs"}, "labels": {"a": "b"}},
        "theirs": {"external": True, "name": "theirs"},
        "older": {"external": {"name": "older"}},
    },
    "secrets": {
        "token": {
            "file": "token",
            "name": "token-1",
            "labels": {"a": "b"},
            "template_driver": "golang",
        },
        "vault": {"driver": "vault", "driver_opts": {"a": "b"}},
        "theirs": {"external": True},
        "older": {"external": {"name": "older"}},
    },
    "configs": {
        "motd": {
            "file": "motd",
            "name": "motd-1",
            "labels": {"a": "b"},
            "template_driver": "golang",
        },
        "theirs": {"external": True},
        "older": {"external": {"name": "older"}},
    },
    "x-ours": {"any": "thing"},
}
# the keys that came later, with the first version and the first client that take them
LATER: dict[tuple[str, str], dict[str, Any]] = {
    ("3.9", "20.10"): {"deploy": {"resources": {"limits": {"pids": 100}}}},
    ("3.12", "25.0"): {"healthcheck": {"start_interval": "1s"}},
    ("3.13", "27.0"): {"networks": {"mpi": {"driver_opts": {"a": "b"}}}},
    ("3.13", "27.1"): {"oom_score_adj": 100},
}


def stack(version: str, engine: Release) -> dict[str, Any]:
    """A stack file with every key that clients from `engine` on take in one of `version`."""
    service = SERVICE
    for (since, first), keys in LATER.items():
        if VERSIONS[since] <= VERSIONS[version] and release(first) <= engine:
            service = merged(service, keys)
    services = {**STACK["services"], "worker": service}
    return {"version": version, **STACK, "services": services}


def merged(old: Any, new: Any) -> Any:
    """Mappings merged deeply, all else replaced."""
    if not isinstance(old, dict) or not isinstance(new, dict):
        return new
    return {**old, **{key: merged(old.get(key), value) for key, value in new.items()}}


@cache
def client() -> Path:
    """The docker command of this machine, which must know `docker stack config`."""
    found = shutil.which("docker")
    if not found:
        pytest.fail("the docker command is missing: it tells what stack files may have")
    done = subprocess.run([found, "stack", "config", "--help"], capture_output=True, text=True)
    if "--compose-file" not in done.stdout:
        pytest.skip(f"{found} has no `docker stack config`, which came with Docker 23.0")
    return Path(found)


@cache
def client_release() -> Release:
    """The release of `client`."""
    done = subprocess.run([client(), "--version"], capture_output=True, text=True, check=True)
    numbers = re.search(r"version (\d+)\.(\d+)", done.stdout)
    assert numbers, done.stdout
    return tuple(map(int, numbers.groups()))


def refusal(folder: Path, document: dict[str, Any]) -> str:
    """What `docker stack config` says against a stack file; empty if it takes it."""
    path = folder / "stack.yml"
    path.write_text(yaml.safe_dump(document), encoding="utf-8")
    # no engine is asked, so none must answer
    environment = os.environ | {"DOCKER_HOST": "unix:///nowhere"}
    command = [client(), "stack", "config", "-c", path]
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    return "" if done.returncode == 0 else done.stderr.strip() or "refused without a word"


@cache
def client_schemas() -> dict[str, Any]:
    """The client's own JSON Schema of each version: the files are in its binary as they are."""
    data = client().resolve().read_bytes()
    found = {}
    for match in re.finditer(rb'"id": "config_schema_v(3\.\d+)\.json"', data):
        start = data.rindex(b"{", 0, match.start())
        text = data[start : start + 100_000].decode(errors="replace")
        found[match[1].decode()], _ = json.JSONDecoder().raw_decode(text)
    if not found:
        pytest.fail(f"{client()} contains no schemas of stack files: is it a wrapper?")
    return found


def keys_of_schema(whole: Any, part: Any, path: Keys = ()) -> Iterator[Keys]:
    """The path of each key that `part` of the JSON Schema `whole` names."""
    if "$ref" in part:
        target = whole
        for step in part["$ref"].removeprefix("#/").split("/"):
            target = target[step]
        yield from keys_of_schema(whole, target, path)
    for name, inner in part.get("properties", {}).items():
        yield (*path, name)
        yield from keys_of_schema(whole, inner, (*path, name))
    for inner in (*part.get("anyOf", ()), *part.get("oneOf", ())):
        yield from keys_of_schema(whole, inner, path)
    named = [each for name, each in part.get("patternProperties", {}).items() if name != "^x-"]
    for step, inner in (
        ("[]", part.get("items")),
        *(("*", each) for each in (*named, part.get("additionalProperties"))),
    ):
        if isinstance(inner, dict):
            yield from keys_of_schema(whole, inner, (*path, step))


def keys_of_file(value: Any, known: set[Keys], path: Keys = ()) -> Iterator[Keys]:
    """The path of each of the `known` keys that a stack file has."""
    if isinstance(value, list):
        for item in value:
            yield from keys_of_file(item, known, (*path, "[]"))
    elif isinstance(value, dict):
        for key, inner in value.items():
            at = (*path, key)
            if at in known:
                yield at
            yield from keys_of_file(inner, known, at if at in known else (*path, "*"))
