"""The cluster's image: which one is to be deployed, and which nodes cannot start it."""

from collections.abc import Sequence
from pathlib import Path

from docker.errors import ImageNotFound
from docker.models.images import Image

from mpigen.artifacts.folder import Artifacts
from mpigen.errors import ClusterError, InputError
from mpigen.image import content
from mpigen.notation import image_names
from mpigen.swarm import probe
from mpigen.swarm.engine import Engine, blame
from mpigen.swarm.placement import allows, rendered
from mpigen.swarm.probe import Probe

_START_SECONDS = 60.0
_PULL_SECONDS = 600.0


class Missing(ClusterError):
    """An engine lacks an image."""


def get(engine: Engine, name: str, hint: str = "") -> Image:
    """An image of an engine. Raises Missing, with that hint, if the engine lacks it."""
    with blame(f"looking for {name}"):
        try:
            return engine.client.images.get(name)
        except ImageNotFound:
            where = f"the engine at {engine.where.url} has no image {name}"
            raise Missing(where, hint) from None


def every(engine: Engine, artifacts: Artifacts, given: str | None) -> dict[str, str]:
    """The references to deploy, the cluster's by "", variants by name: `given`, or `current`."""
    if given and "@" in given and len(artifacts.images) > 1:
        raise InputError(
            f"{given} is one image by its digest, and groups with packages have others",
            "Name a tag, beside which theirs are: TAG-GROUP.",
        )
    return {
        name: image_names.add_variant(given, name) if given else current(engine, artifacts, name)
        for name in artifacts.images
    }


def current(engine: Engine, artifacts: Artifacts, variant: str = "") -> str:
    """The reference to deploy: the tag by content, or, from a registry, the digest.

    Raises ClusterError if nothing was built, or something else than the folder now holds: told
    where the sources and private keys are here, as on the machine that builds.
    """
    own = "" if artifacts.folder == Path("output") else f" -o {artifacts.folder}"
    hint = f"Build it: mpigen build{own}"
    context = content.of_context(artifacts, content.site_of(artifacts))
    artifacts = artifacts._replace(image=artifacts.images[variant])
    same = _of_context(engine, artifacts.image, context, variant) if context else []
    if artifacts.distribute == "registry":
        known = [digest for image in same if (digest := digest_of(image, artifacts.image))]
        return known[0] if known else _pushed(engine, artifacts, context, hint)
    if same:
        named = [image for image in same if _is_called(image, artifacts.image)]
        return _by_content((named or same)[0], artifacts.image)
    image = get(engine, artifacts.image, hint)
    _refuse_changed(image, artifacts.image, artifacts, context, hint)
    return _by_content(image, artifacts.image)


def lacking(engine: Engine, reference: str, constraints: Sequence[str] = ()) -> dict[str, str]:
    """The nodes that cannot start an image, host name to reason, found without their endpoints.

    A container of it is started on each node that is ready and that `constraints` allow; from a
    registry it is pulled by that. Raises ClusterError if the engine is no manager, or silent.
    """
    engine.need_manager()
    with blame("asking for the nodes"):
        names = {
            node["ID"]: node.get("Description", {}).get("Hostname", node["ID"])
            for node in engine.client.api.nodes()
            if allows(node, constraints)
        }
    start = Probe("start", "host", reference, {}, constraints=constraints, output=False)
    # a node that has to pull it needs longer than one that has only to start it
    seconds = _PULL_SECONDS if "@" in reference else _START_SECONDS
    (answers,) = probe.run(engine, [start], seconds)
    return {names.get(node, node): answer.error for node, answer in answers.items() if answer.error}


def lacking_for(
    engine: Engine, reference: str, artifacts: Artifacts, variant: str = ""
) -> dict[str, str]:
    """As `lacking`, of the nodes that need the image, or that variant of it, sorted."""
    found: dict[str, str] = {}
    for constraints in rendered(artifacts, variant):
        found |= lacking(engine, reference, constraints)
    return dict(sorted(found.items()))


def digest_of(image: Image, name: str) -> str | None:
    """The image as the registry of `name` has it, REPOSITORY@sha256:..., once it was pushed."""
    repository = image_names.familiar(name)
    pushed = image.attrs.get("RepoDigests") or []
    found = [each for each in pushed if each.partition("@")[0] == repository]
    return f"{image_names.repository(name)}@{found[0].partition('@')[2]}" if found else None


def _of_context(engine: Engine, name: str, context: str, variant: str) -> list[Image]:
    """The images built from that context, also where the user's tag has moved on since."""
    filters = {"label": f"{content.LABEL}={context}"}
    with blame(f"looking for {name}"):
        found = engine.client.images.list(name=image_names.familiar(name), filters=filters)
    return [each for each in found if each.labels.get(content.VARIANT_LABEL, "") == variant]


def _pushed(engine: Engine, artifacts: Artifacts, context: str | None, hint: str) -> str:
    """What the registry has under the user's tag, by digest, if it is of that context."""
    with blame(f"asking the registry for {artifacts.image}", hint):
        data = engine.client.images.get_registry_data(artifacts.image)
    reference = f"{image_names.repository(artifacts.image)}@{data.id}"
    if context:
        with blame(f"pulling {reference}"):
            try:
                image = engine.client.images.get(reference)
            except ImageNotFound:
                image = engine.client.images.pull(reference)
        where = f"{artifacts.image} of the registry"
        _refuse_changed(image, where, artifacts, context, hint)
    return reference


def _refuse_changed(
    image: Image, name: str, artifacts: Artifacts, context: str | None, hint: str
) -> None:
    built_from = (image.labels or {}).get(content.LABEL)
    # build.sh alone writes no label: nothing is known of such an image
    if context and built_from and context != built_from:
        raise ClusterError(
            f"what {artifacts.folder} builds has changed since {name} was built", hint
        )


def _by_content(image: Image, name: str) -> str:
    """The tag by content of an image, or, if it was built without mpigen, `name`."""
    prefix = f"{image_names.familiar(name)}:{content.PREFIX}"
    found = next((tag for tag in image.tags if tag.startswith(prefix)), None)
    return image_names.with_tag(name, found.rpartition(":")[2]) if found else name


def _is_called(image: Image, name: str) -> bool:
    return f"{image_names.familiar(name)}:{image_names.tag(name)}" in image.tags
