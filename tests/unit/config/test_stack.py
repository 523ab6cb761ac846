"""`stack:`: what Docker would refuse, what could not run, and what contradicts another field."""

from pathlib import Path

import pytest

from tests import sites


@pytest.mark.parametrize(
    ("keys", "place", "message"),
    [
        ("volumes: ['scratch:/s']", "volumes[0]",
         "'scratch' is not a volume of this stack: declare"),
        ("volumes: [{type: volume, source: s, target: /s}]", "volumes[0]",
         "'s' is not a volume of"),
        ("volumes: [{type: bind, target: /s}]", "volumes[0]", "lacks source"),
        ("volumes: [{type: volume, source: s}]", "volumes[0]", "lacks target"),
        ("volumes: ['/srv:/dev/shm']", "volumes[0]", "shm also mounts /dev/shm"),
        ("volumes: ['/srv:/data/']", "volumes[0]", "storage[0] also mounts /data"),
        ("volumes: ['/a:/s', '/b:/s']", "volumes[1]", "volumes.0 also mounts /s"),
        ("volumes: ['/srv:/run']", "volumes[0]", "/run would hide /run/mpi, which containers need"),
        ("volumes: ['/srv:data']", "volumes[0]", "'data' is not an absolute path"),
        ("tmpfs: /usr", "tmpfs", "/usr would hide /usr/bin"),
        ("networks: [backend]", "networks[0]", "'backend' is not a network of this stack"),
        ("secrets: [token]", "secrets[0]", "'token' is not a secret of this stack"),
        ("configs: [{source: c, target: /c}]", "configs[0]", "'c' is not a config of this stack"),
        ("ports: ['80:80']", "ports[0]", "Swarm refuses it with endpoint_mode: dnsrr"),
        ("ports: [{mode: hst, target: 80}]", "ports[0].mode", "must be one of ingress, host"),
        ("ports: [{mode: host, target: 0}]", "ports[0].target", "0 is too small: the minimum is 1"),
        ("environment: {DEBUG: true}", "environment.DEBUG", "True must be text or a number"),
        ("environment: ['A: 1']", "environment[0]", "'A: 1' is not NAME=VALUE"),
        ("environment: {A B: 1}", "environment.A B", "'A B' is not a name of a variable"),
        ("environment: {OMPI_MCA_btl_tcp_if_include: e}", "environment.OMPI_MCA_btl_tcp_if_include",
         "is determined when a container starts and cannot be set"),
        ("environment: {OMP_NUM_THREADS: 2}", "environment.OMP_NUM_THREADS", "the group's threads"),
        ("healthcheck: {retries: -1}", "healthcheck.retries", "-1 is too small: the minimum is 0"),
        ("healthcheck: {start_interval: 1s}", "healthcheck.start_interval", "minimum: '25.0'"),
        ("ulimits: {nofiles: 9}", "ulimits.nofiles", "'nofiles' must be one of core, cpu"),
        ("ulimits: {nofile: {soft: 9, hard: 8}}", "ulimits.nofile", "the soft limit is above"),
        ("hostname: node", "hostname", "every container would be called 'node'"),
        ("deploy: {mode: global}", "deploy.mode", "'global' contradicts the group's mode"),
        ("deploy: {replicas: 9}", "deploy.replicas", "9 contradicts the group's replicas"),
        ("deploy: {placement: {max_replicas_per_node: 3}}",
         "deploy.placement.max_replicas_per_node", "contradicts the group's max_per_node"),
        ("deploy: {placement: {constraints: [node.role=worker]}}",
         "deploy.placement.constraints[0]", "is not a placement constraint"),
        ("deploy: {resources: {limits: {cpus: '3'}}}",
         "deploy.resources.limits.cpus", "contradicts the group's cpus"),
        ("deploy: {resources: {limits: {memory: 1g}}}",
         "deploy.resources.limits.memory", "contradicts the group's memory"),
        ("deploy: {resources: {limits: {memory: 4Gi}}}",
         "deploy.resources.limits.memory", "is not a size that Docker accepts"),
        ("deploy: {resources: {reservations: {memory: 3g}}}",
         "deploy.resources.reservations.memory", "is more than the group's memory allow"),
        ("deploy: {update_config: {failure_action: stop}}",
         "deploy.update_config.failure_action", "must be one of pause, continue, rollback"),
        ("deploy: {update_config: {max_failure_ratio: 7}}",
         "deploy.update_config.max_failure_ratio", "7 is too large: the maximum is 1"),
    ],
)  # fmt: skip
def test_what_cannot_be_deployed_or_contradicts_the_group_is_refused_at_its_place(
    tmp_path: Path, keys: str, place: str, message: str
) -> None:
    text = "name: x\nstorage: [{target: /data, source: data}]\nworkers:\n"
    text += "- {cpus: 2, memory: 2g, threads: 1, max_per_node: 1, stack: {\n   KEYS}}\n"
    (line,) = sites.refusal(tmp_path, text.replace("KEYS", keys))
    assert line.startswith("5:")
    assert line.split(": ", 1)[1].startswith(f"workers[0].stack.{place}: ")
    assert message in line


@pytest.mark.parametrize(
    ("text", "field", "message"),
    [
        ("stack: {services: {db: {tty: true}}}", "stack.services.db", "needs an image"),
        ("stack: {services: {my.db: {image: x}}}", "stack.services.my.db",
         "not a name of a service"),
        ("stack: {services: {launcher: {deploy: {replicas: 3}}}}\nlauncher: {}",
         "stack.services.launcher.deploy.replicas", "there is one launcher"),
        ("stack: {version: '3.8'}", "stack.version", "leave it out"),
        ("stack: {volumes: {v: {external: true, driver: local}}}",
         "stack.volumes.v.external", "it already exists: leave out driver"),
        ("stack: {secrets: {s: {}}}", "stack.secrets.s", "needs file, or external: true"),
        ("stack: {services: {" + "a" * 63 + ": {image: x}}}",
         "stack.services." + "a" * 57, "the maximum is 63"),
        ("stack: {networks: {mpi: {external: true}}}",
         "stack.networks.mpi.external", "use network.external"),
        ("network: {stack: {driver: bridge}}", "network.stack.driver", "on several servers"),
        ("network: {stack: {attachable: false}}", "network.stack.attachable", "attach themselves"),
        ("network: {stack: {name: a}}", "network.stack.name", "jobs look for it by network.name"),
        ("network: {internal: true, stack: {internal: false}}",
         "network.stack.internal", "network.internal sets something else"),
        ("network: {mtu: 1500, stack: {driver_opts: {com.docker.network.driver.mtu: '9000'}}}",
         "network.stack.driver_opts.com.docker.network.driver.mtu",
         "network.mtu sets something else"),
        ("network: {stack: {ipam: {config: [{subnet: 10.1.0.0/16}]}}}",
         "network.stack.ipam.config", "use network.subnet"),
        ("workers: [stack: {tty: true}]\nstack: {services: {worker: {tty: false}}}",
         "workers[0].stack.tty", "stack.services.worker.tty is False: set it in one place"),
    ],
)  # fmt: skip
def test_what_the_whole_stack_cannot_have_is_refused(
    tmp_path: Path, text: str, field: str, message: str
) -> None:
    (line,) = sites.refusal(tmp_path, f"name: x\n{text}\n")
    assert line.split(": ", 1)[1].startswith(field)
    assert message in line


@pytest.mark.parametrize(
    "text",
    [
        "workers: [stack: {volumes: ['v:/v', '/etc/localtime:/etc/localtime:ro'], tmpfs: /tmp}]\n"
        "stack: {volumes: {v: }}",
        "workers: [stack: {networks: [back]}]\nstack: {networks: {back: {external: true}}}",
        "workers: [stack: {secrets: [t]}]\nstack: {secrets: {t: {external: true}}}",
        "workers: [{replicas: 3, memory: 2g, stack: {deploy: {replicas: 3,"
        " resources: {limits: {memory: 2048m}, reservations: {memory: 1g}}}}}]",
        "workers: [stack: {ports: [{mode: host, target: 80, published: 8080}]}]",
        "stack: {services: {db: {image: redis, networks: [mpi], ports: ['6379:6379']}}}",
        "engine: {minimum: '25.0'}\nworkers: [stack: {healthcheck: {start_interval: 1s}}]",
        "engine: {minimum: '25.0'}\nworkers: [stack: {environment: {A: b}}]",
    ],
)
def test_what_docker_can_deploy_is_taken(tmp_path: Path, text: str) -> None:
    sites.config(tmp_path, f"name: x\n{text}\n")
    sites.rendered(tmp_path, f"name: x\n{text}\n")


def test_what_a_template_declares_is_there(tmp_path: Path) -> None:
    text = "name: x\nworkers: [stack: {volumes: ['v:/v']}]\n"
    block = (
        "{% extends 'builtin/stack.yml.j2' %}{% block footer %}volumes: {NAME: {}}{% endblock %}"
    )
    sites.template(tmp_path, "stack.yml.j2", block.replace("NAME", "v"))
    sites.rendered(tmp_path, text)
    sites.template(tmp_path, "stack.yml.j2", block.replace("NAME", "other"))
    (line,) = sites.refusal(tmp_path, text)
    assert "services.worker.volumes[1]: 'v' is not a volume of this stack" in line
