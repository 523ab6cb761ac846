"""The workers' storage in the container of a job, where mpirun is.

So a job's script, `mpirun` and the ranks see the same files where servers share them.
"""

import csv
import io
from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any

from mpigen.job.hosts import Hosts
from mpigen.job.spec import JobSpec
from mpigen.swarm.deployment import Deployment
from mpigen.swarm.engine import blame
from mpigen.swarm.processes import Say

_OWN = "/dev/shm"  # of each container, by its group's size


def in_foreground(deployment: Deployment, hosts: Hosts, job: JobSpec, say: Say) -> JobSpec:
    """The job with what a worker on this very engine has mounted, volumes and folders alike.

    A server without a worker may lack the folder, or reach no file server: its jobs go without,
    which is said if the folders are shared.
    """
    engine = deployment.engine
    with blame(f"asking the engine at {engine.where.url} for its workers"):
        for group in hosts.counts:
            label = f"com.docker.swarm.service.name={deployment.service(group)}"
            for worker in engine.client.api.containers(filters={"label": label}):
                return _with(job, [local(each) for each in worker.get("Mounts") or ()])
    if lacking := _free(deployment.artifacts.shared, job):
        say(
            f"note: no worker runs on this server, so the job's own container lacks "
            f"{', '.join(lacking)}; ranks have it"
        )
    return job


def in_service(deployment: Deployment, hosts: Hosts, job: JobSpec) -> JobSpec:
    """The job with the mounts of its first group's service, on whose nodes it runs.

    Raises ClusterError if the engine is no manager.
    """
    deployment.engine.need_manager()
    service = deployment.service(next(iter(hosts.counts)))
    with blame(f"asking for the service {service}"):
        found = deployment.engine.client.api.inspect_service(service)  # type: ignore[no-untyped-call]
    container = found["Spec"]["TaskTemplate"]["ContainerSpec"]
    return _with(job, [declared(each) for each in container.get("Mounts") or ()])


def local(mount: Mapping[str, Any]) -> dict[str, str]:
    """The fields of `--mount` for what a container on the same engine has; {} for memory.

    A named volume is there already, so its driver and options need not be said.
    """
    if mount["Type"] not in ("bind", "volume"):
        return {}
    source = mount["Name"] if mount["Type"] == "volume" else mount["Source"]
    fields = {"type": mount["Type"], "source": source, "target": mount["Destination"]}
    return fields if mount["RW"] else {**fields, "readonly": "true"}


def declared(mount: Mapping[str, Any]) -> dict[str, str]:
    """The fields of `--mount` for a mount of a service, with which Docker makes its volume."""
    if mount["Type"] not in ("bind", "volume"):
        return {}
    fields = {"type": mount["Type"], "source": mount["Source"], "target": mount["Target"]}
    if mount.get("ReadOnly"):
        fields["readonly"] = "true"
    volume = mount.get("VolumeOptions") or {}
    driver = volume.get("DriverConfig") or {}
    if volume.get("NoCopy"):
        fields["volume-nocopy"] = "true"
    if driver.get("Name"):
        fields["volume-driver"] = driver["Name"]
    for name, value in (volume.get("Labels") or {}).items():
        fields[f"volume-label={name}"] = value
    for name, value in (driver.get("Options") or {}).items():
        fields[f"volume-opt={name}"] = value
    return fields


def _with(job: JobSpec, mounts: Collection[dict[str, str]]) -> JobSpec:
    """The job with these mounts too, unless it has one of its own at the same place."""
    free = _free([each["target"] for each in mounts if each], job)
    more = [words(each) for each in mounts if each and each["target"] in free]
    return replace(job, mounts=(*job.mounts, *more))


def _free(targets: Collection[str], job: JobSpec) -> list[str]:
    """Those targets at which the job has no mount of its own."""
    own = {_OWN}
    for each in job.mounts:
        for field in next(csv.reader([each]), []):
            name, _, value = field.partition("=")
            if name in ("target", "dst", "destination"):
                own.add(value.rstrip("/"))
    return [target for target in targets if target not in own]


def words(fields: Mapping[str, str]) -> str:
    """The value of `--mount`: fields as CSV, since options of NFS have commas."""
    text = io.StringIO()
    csv.writer(text, lineterminator="").writerow([f"{k}={v}" for k, v in fields.items()])
    return text.getvalue()
