"""What a deploy would create, change, replace and remove, and which jobs that ends.

The client that deploys is asked what it would change (`rehearsal`), and the Swarm what there is.
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from re import fullmatch
from typing import Any

import yaml

from mpigen.artifacts.paths import HOST_KEY, KEYS, USER_KEY
from mpigen.errors import ClusterError
from mpigen.image import select as images
from mpigen.job import listing
from mpigen.job.spec import JOB_LABEL
from mpigen.stack import changes, preflight, rehearsal
from mpigen.stack.changes import LEAVE, NOTHING, REMOVE, Change, OnSwarm
from mpigen.stack.rehearsal import Request
from mpigen.swarm.deployment import Deployment
from mpigen.swarm.engine import blame
from mpigen.swarm.engine_faults import parse_version
from mpigen.swarm.state import IMAGE_LABEL, NAMESPACE_LABEL

# secrets and configs that deploy.sh removes once the stack is up without them
_KEYS = r"(user_key|host_key|authorized_keys|known_hosts)_.*"
_PRIVATE = {"user_key": USER_KEY, "host_key": HOST_KEY}
_KINDS = ("network", "secret", "config", "service")


@dataclass(frozen=True)
class Plan:
    """All changes of a deploy. `refused` says why it would change nothing.

    `jobs` are those that run if containers end; `ends_jobs` is whether all containers of all
    groups do, and so all of them. `unknown` says what cannot be known.
    """

    stack: str
    changes: tuple[Change, ...]
    refused: tuple[str, ...]
    jobs: tuple[str, ...]
    ends_jobs: bool
    unknown: tuple[str, ...]

    @property
    def is_empty(self) -> bool:
        """Whether the deploy would change nothing, and be allowed to."""
        return not self.refused and all(c.action in (LEAVE, NOTHING) for c in self.changes)


def make(deployment: Deployment, image: str | None) -> Plan:
    """Compare the rendered stack file with the Swarm; `image` is the user's choice, or None.

    Changes nothing. Raises ClusterError if the engine is no manager, or silent, or if the stack
    file cannot be deployed.
    """
    deployment.engine.need_manager()
    swarm = _ask(deployment)
    swarm.refused += preflight.visible_problems(deployment)
    over = _over(swarm, image)
    try:
        requests = rehearsal.requests_of(deployment, over)
    except ClusterError as error:
        if not swarm.refused:  # an external network that is missing is told already
            raise
        swarm.unknown.append(f"what would change: {error.message}")
        requests = []
    found = [change for each in requests for change in changes.changes(swarm, each)]
    found.sort(key=lambda change: (_KINDS.index(change.kind), change.name))
    if requests:
        found += _left(swarm, requests)
    ends = [each for each in found if each.replaced or each.removed]
    running = listing.running(deployment) if ends or swarm.refused else []
    groups = {deployment.service(group.name) for group in deployment.artifacts.groups}
    whole = {
        each.name
        for each in ends
        if any(one.replaces and not one.is_placement for one in each.differences)
    }
    live = groups & swarm.services.keys()
    if swarm.services and (releases := _managers_releases(swarm)):
        swarm.unknown.append(
            f"whether Swarm replaces all containers: managers with Docker {releases} store the "
            "same service differently, which Docker does not show. It does not if the last deploy "
            "was through a manager of the same version as this one"
        )
    if any(each.started or each.replaced for each in found):
        swarm.unknown.append(
            "whether every node can start the image: deploy starts a container on each to see"
        )
    return Plan(
        deployment.stack,
        tuple(found),
        tuple(swarm.refused),
        tuple(running),
        bool(live) and live <= whole,
        tuple(swarm.unknown),
    )


def _managers_releases(swarm: OnSwarm) -> str:
    """The releases of Docker on the managers, as "20.10 and 28.5"; empty if they have one."""
    managers = [each for each in swarm.deployment.nodes() if each.manager and each.engine]
    releases = sorted({parse_version(each.engine)[:2] for each in managers})
    names = [".".join(map(str, each)) for each in releases]
    return " and ".join(names) if len(names) > 1 else ""


def _ask(deployment: Deployment) -> OnSwarm:
    api = deployment.engine.client.api
    label = {"label": f"{NAMESPACE_LABEL}={deployment.stack}"}
    with blame(f"asking for the stack {deployment.stack}"):
        listed = api.services(filters=label)  # type: ignore[no-untyped-call]
        networks = {each["Id"]: each["Name"] for each in api.networks()}
    services = {
        each["Spec"]["Name"]: each for each in listed if JOB_LABEL not in each["Spec"]["Labels"]
    }
    return OnSwarm(deployment, services, networks)


def _over(swarm: OnSwarm, image: str | None) -> dict[str, Any]:
    """What deploy.sh lays over stack.yml: each group's image, and the label with its id."""
    deployment, artifacts = swarm.deployment, swarm.deployment.artifacts
    engine = deployment.engine
    try:
        wanted = images.references_to_deploy(engine, artifacts, image, may_pull=False)
    except ClusterError as error:
        swarm.refused.append(f"{error.message} ({error.hint})" if error.hint else error.message)
        if swarm.services:
            swarm.unknown.append("the image to deploy: another one replaces all containers of it")
        wanted = {}
    services = {}
    for group in artifacts.groups:
        reference = wanted.get(group.variant) or artifacts.images[group.variant]
        live = swarm.services.get(deployment.service(group.name), {})
        container = live.get("Spec", {}).get("TaskTemplate", {}).get("ContainerSpec", {})
        id = (container.get("Labels") or {}).get(IMAGE_LABEL, "")
        if wanted:
            id = "" if "@" in reference else images.id_of(engine, artifacts, reference) or id
        elif container:
            reference = container["Image"]
        labels = {"labels": {IMAGE_LABEL: id}} if id else {}
        services[group.name] = {"image": reference, **labels}
    # Docker merges files of the same version only
    rendered = yaml.safe_load(artifacts.stack_file.read_text("utf-8"))
    version = {"version": rendered["version"]} if "version" in rendered else {}
    external = _keys_there(swarm, rendered) if artifacts.delivery == "secret" else {}
    return {**version, "services": services, **({"secrets": external} if external else {})}


def _keys_there(swarm: OnSwarm, rendered: Mapping[str, Any]) -> dict[str, Any]:
    """The private keys that the Swarm has: they are needed here no longer."""
    deployment = swarm.deployment
    with blame("asking for the secrets"):
        there = {each["Spec"]["Name"] for each in deployment.engine.client.api.secrets()}
    external = {}
    for key in rendered.get("secrets") or {}:
        file = _PRIVATE.get(key.rpartition("_")[0])
        name = f"{deployment.stack}_{key}"
        path = deployment.artifacts.folder / KEYS / (file or "")
        if file and name in there:
            external[key] = {"external": True, "name": name}
        elif file and not os.access(path, os.R_OK):
            swarm.refused.append(
                f"{path} cannot be read, and the Swarm has no such secret: mpigen keys import DIR"
            )
    return external


def _left(swarm: OnSwarm, requests: Sequence[Request]) -> Iterator[Change]:
    """What the stack has on the Swarm, and stack.yml no longer."""
    api = swarm.deployment.engine.client.api
    label = {"label": f"{NAMESPACE_LABEL}={swarm.deployment.stack}"}
    asked = {(each.kind, each.name) for each in requests}
    with blame(f"asking for the stack {swarm.deployment.stack}"):
        there = [("service", name) for name in swarm.services]
        there += [("secret", each["Spec"]["Name"]) for each in api.secrets(filters=label)]
        configs = api.configs(filters=label)  # type: ignore[no-untyped-call]
        there += [("config", each["Spec"]["Name"]) for each in configs]
        there += [("network", each["Name"]) for each in api.networks(filters=label)]
    rendered = yaml.safe_load(swarm.deployment.artifacts.stack_file.read_text("utf-8"))
    for key, network in (rendered.get("networks") or {}).items():
        asked.add(("network", (network or {}).get("name") or f"{swarm.deployment.stack}_{key}"))
    for request in requests:
        container = request.body.get("TaskTemplate", {}).get("ContainerSpec", {})
        for kind in ("secret", "config"):
            word = kind.capitalize()
            asked |= {(kind, each[f"{word}Name"]) for each in container.get(f"{word}s") or ()}
    for kind, name in sorted(set(there) - asked):
        of_keys = fullmatch(_KEYS, name.removeprefix(f"{swarm.deployment.stack}_"))
        rotated = of_keys and kind != "service" and swarm.deployment.artifacts.delivery == "secret"
        yield Change(REMOVE if rotated else LEAVE, kind, name)
