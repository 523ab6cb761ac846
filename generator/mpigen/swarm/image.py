"""The cluster's image: built from the rendered folder, tagged by content, and which to deploy."""

import os
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from docker.errors import APIError, ImageNotFound
from docker.models.images import Image

from mpigen.artifacts import Artifacts
from mpigen.errors import ClusterError, InputError
from mpigen.processes import Say
from mpigen.swarm import content, probe
from mpigen.swarm.buildlog import BuildLog
from mpigen.swarm.engine import Engine, blame
from mpigen.swarm.placement import allows
from mpigen.swarm.probe import Probe

_SHOWN = 25
_PROBE_SECONDS = 120.0


@dataclass(frozen=True)
class Built:
    """An image on an engine: the user's tag, the tag by its content, and whether it is new."""

    image: str
    reference: str
    new: bool


def build(engine: Engine, artifacts: Artifacts, site: Path, say: Say) -> Built:
    """Build the image by the rendered build.sh, unless the engine has one of the same content.

    `site` is the folder that holds the sources. Raises InputError where build.sh says what is
    missing, ClusterError, with the end of what was printed, where the build fails.
    """
    context = content.of_context(artifacts, site)
    if "@" in artifacts.image:
        raise InputError(f"an image cannot be built as {artifacts.image}", "Take a tag, no digest.")
    if context and (reference := _reference(engine, artifacts, context)):
        with blame(f"looking for {reference}"):
            try:
                image = engine.client.images.get(reference)
            except ImageNotFound:
                pass
            else:
                _tag(image, artifacts.image)
                return Built(artifacts.image, reference, new=False)
    _run(engine, artifacts, site, context, say)
    found = _image(engine, artifacts.image)
    # a base image that was not there before has been pulled by now
    reference = _reference(engine, artifacts, context or "") or artifacts.image
    with blame(f"tagging {reference}"):
        _tag(found, reference)
    return Built(artifacts.image, reference, new=True)


def current(engine: Engine, artifacts: Artifacts) -> str:
    """The reference to deploy: the tag by content, or, from a registry, the digest.

    Raises ClusterError if nothing was built, or something else than the folder now holds: told
    where the sources and private keys are here, as on the machine that builds.
    """
    hint = "Build it: mpigen build"
    if artifacts.distribute == "registry":
        return _pushed(engine, artifacts, hint)
    image = _image(engine, artifacts.image, hint)
    context = content.of_context(artifacts, artifacts.folder / "..")
    built_from = (image.labels or {}).get(content.LABEL)
    if context and built_from and context != built_from:
        raise ClusterError(
            f"{artifacts.folder} has changed since {artifacts.image} was built", hint
        )
    prefix = content.with_tag(artifacts.image, content.PREFIX)
    return next((tag for tag in image.tags if tag.startswith(prefix)), artifacts.image)


def lacking(engine: Engine, reference: str, constraints: Sequence[str] = ()) -> dict[str, str]:
    """The nodes that cannot start an image, host name to reason, found without their endpoints.

    A container of it is started on each node that is ready and that `constraints` allow; from a
    registry it is pulled by that. Raises ClusterError if the engine is no manager, or silent.
    """
    engine.need_manager()
    with blame("asking for the nodes"):
        allowed = {
            node["ID"]: node.get("Description", {}).get("Hostname", node["ID"])
            for node in engine.client.api.nodes()
            if allows(node, constraints)
        }
    (answers,) = probe.run(engine, [Probe("start", "host", reference, {})], _PROBE_SECONDS)
    return {
        allowed[node]: answer.error
        for node, answer in answers.items()
        if answer.error and node in allowed
    }


def _pushed(engine: Engine, artifacts: Artifacts, hint: str) -> str:
    with blame(f"asking the registry for {artifacts.image}", hint):
        data = engine.client.images.get_registry_data(artifacts.image)
    return f"{content.repository(artifacts.image)}@{data.id}"


def _reference(engine: Engine, artifacts: Artifacts, context: str) -> str | None:
    """The tag by content; None while a base image is not on the engine."""
    ids = []
    for base in content.bases((artifacts.folder / "Dockerfile").read_text("utf-8")):
        with blame(f"looking for {base}"):
            try:
                ids.append(str(engine.client.images.get(base).id))
            except (ImageNotFound, APIError):
                return None
    return content.with_tag(artifacts.image, content.tag(context, ids)) if context else None


def _run(engine: Engine, artifacts: Artifacts, site: Path, context: str | None, say: Say) -> None:
    command = ["sh", str(artifacts.script("build.sh"))]
    if context:
        command += ["--label", f"{content.LABEL}={context}"]
    # BuildKit's other progress is for terminals
    environment = {**os.environ, **engine.environment, "BUILDKIT_PROGRESS": "plain"}
    log, began = BuildLog(), time.monotonic()
    with subprocess.Popen(
        command,
        env={**environment, "SITE": str(site)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    ) as process:
        assert process.stdout
        try:
            for line in process.stdout:
                if step := log.take(line.rstrip("\n")):
                    say(f"{time.monotonic() - began:6.1f} s  {step}")
        except BaseException:
            process.terminate()  # build.sh removes its context
            raise
    end = "\n".join(log.lines[-_SHOWN:])
    # docker build passes on a failed command's own exit code, which may be 2 as well
    if process.returncode == InputError.exit_code and end.startswith("build.sh:"):
        raise InputError(end)
    if process.returncode:
        raise ClusterError(f"build.sh ended with {process.returncode}\n{end}")


def _image(engine: Engine, name: str, hint: str = "") -> Image:
    with blame(f"looking for {name}"):
        try:
            return engine.client.images.get(name)
        except ImageNotFound:
            where = f"the engine at {engine.where.url} has no image {name}"
            raise ClusterError(where, hint) from None


def _tag(image: Image, reference: str) -> None:
    repository = content.repository(reference)
    image.tag(repository, reference[len(repository) + 1 :] or "latest")
