"""Select the image to deploy, and find the nodes that cannot start it."""

from collections.abc import Sequence
from pathlib import Path

from docker.errors import ImageNotFound
from docker.models.images import Image

from mpigen.artifacts.folder import Artifacts
from mpigen.errors import ClusterError, InputError
from mpigen.image import content
from mpigen.image.identity import identity
from mpigen.notation import image_names
from mpigen.swarm import nodes, probe
from mpigen.swarm.engine import Engine, blame
from mpigen.swarm.placement import allows, constraint_sets
from mpigen.swarm.probe import Probe
from mpigen.swarm.processes import Say

_START_SECONDS = 60.0
_PULL_SECONDS = 600.0
_UNLIKE = "non-zero exit (64)"
OTHER = "another image of that name"
"""Why a node cannot start the image of this engine, if it has another one."""


def _ignore(line: str) -> None:
    """Ignore the progress."""


class Missing(ClusterError):
    """An engine lacks an image."""


def get(engine: Engine, name: str, hint: str = "") -> Image:
    """An image of an engine. Raises Missing, with `hint`, if the engine lacks it."""
    with blame(f"looking for {name}"):
        try:
            return engine.client.images.get(name)
        except ImageNotFound:
            where = f"the engine at {engine.where.url} has no image {name}"
            raise Missing(where, hint) from None


def references_to_deploy(
    engine: Engine, artifacts: Artifacts, given: str | None, may_pull: bool = True
) -> dict[str, str]:
    """The references to deploy by variant: `given`, the user's choice, or `reference_to_deploy`."""
    if given and "@" in given and len(artifacts.images) > 1:
        raise InputError(
            f"{given} names one image by its digest, but groups with packages have others",
            "Name a tag: the images of these groups are TAG-GROUP.",
        )
    if given:
        return {name: image_names.add_variant(given, name) for name in artifacts.images}
    return {
        name: reference_to_deploy(engine, artifacts, name, may_pull) for name in artifacts.images
    }


def reference_to_deploy(
    engine: Engine, artifacts: Artifacts, variant: str = "", may_pull: bool = True
) -> str:
    """The reference to deploy: the tag by content, or with a registry the digest.

    Pulls an image of a registry to see what it was built from, unless `may_pull` is false.
    Raises ClusterError if nothing was built, or if the folder changed after the build. The latter
    needs sources and private keys, so it is found only where they are, as on the build machine.
    """
    own = "" if artifacts.folder == Path("output") else f" -o {artifacts.folder}"
    hint = f"Build it: mpigen build{own}"
    context = content.hash_context(artifacts, content.site_folder(artifacts))
    artifacts = artifacts._replace(image=artifacts.images[variant])
    same = _of_context(engine, artifacts.image, context, variant) if context else []
    if artifacts.distribute == "registry":
        known = [digest for image in same if (digest := digest_of(image, artifacts.image))]
        return known[0] if known else _pushed(engine, artifacts, context, hint, may_pull)
    if same:
        named = [image for image in same if _is_called(image, artifacts.image)]
        return _by_content((named or same)[0], artifacts.image)
    image = get(engine, artifacts.image, hint)
    _refuse_changed(image, artifacts.image, artifacts, context, hint)
    return _by_content(image, artifacts.image)


def lacking(
    engine: Engine, reference: str, constraints: Sequence[str] = (), say: Say = _ignore
) -> dict[str, str]:
    """The nodes that cannot start an image, host name to reason, without their endpoints.

    Starts a container of it on each ready node that meets `constraints`, which pulls it from a
    registry if need be. Where the name does not say what is in the image, it must be what is in
    this engine's. A node that has not done so in time is slow, and says nothing of whether
    it can: it is not among them, and `say` gets a line. Raises ClusterError if the engine is no
    manager, or silent.
    """
    engine.need_manager()
    with blame("asking for the nodes"):
        names = {
            node.id: node.name for node in nodes.listed(engine.client) if allows(node, constraints)
        }
    want = _fingerprint(engine, reference)
    environment = {"WANT": want, "FINGERPRINT": probe.FINGERPRINT}
    start = Probe("start", "host", reference, environment, constraints=constraints, output=False)
    # pulling takes longer than starting
    seconds = _PULL_SECONDS if "@" in reference else _START_SECONDS
    (answers,) = probe.run(engine, [start], seconds)
    for node, answer in answers.items():
        if answer.late:
            what = f"whether it can start {reference} is not known yet ({answer.error})"
            say(f"{names.get(node, node)} is slow: {what}")
    return {
        names.get(node, node): OTHER if _UNLIKE in answer.error else answer.error
        for node, answer in answers.items()
        if answer.error and not answer.late
    }


def _fingerprint(engine: Engine, reference: str) -> str:
    """What is in this engine's image of that name; empty if it has none, or the name says it."""
    if "@" in reference or image_names.tag(reference).startswith(content.PREFIX):
        return ""
    try:
        get(engine, reference)
    except Missing:
        return ""
    run = ("run", "--rm", "--network", "none", "--cap-drop", "ALL", "--entrypoint", "/bin/sh")
    return engine.docker(*run, reference, "-c", probe.FINGERPRINT).strip()


def lacking_for(
    engine: Engine, reference: str, artifacts: Artifacts, say: Say, variant: str = ""
) -> dict[str, str]:
    """The same as `lacking` for the nodes that may run the image, or that variant, sorted."""
    found: dict[str, str] = {}
    for constraints in constraint_sets(artifacts, variant):
        found |= lacking(engine, reference, constraints, say)
    return dict(sorted(found.items()))


def digest_of(image: Image, name: str) -> str | None:
    """REPOSITORY@sha256:... of an image in the registry of `name`; None if it was not pushed."""
    repository = image_names.familiar(name)
    pushed = image.attrs.get("RepoDigests") or []
    found = [each for each in pushed if each.partition("@")[0] == repository]
    return f"{image_names.repository(name)}@{found[0].partition('@')[2]}" if found else None


def id_of(engine: Engine, artifacts: Artifacts, reference: str) -> str:
    """The identity of an image that deploy.sh writes into the containers' label.

    Empty where it writes none: of a digest, with a registry, or if this engine lacks the image.
    """
    if "@" in reference or artifacts.distribute == "registry":
        return ""
    try:
        return identity(get(engine, reference))
    except Missing:
        return ""


def _of_context(engine: Engine, name: str, context: str, variant: str) -> list[Image]:
    """The images built from a context, even if the user's tag has since moved to another."""
    filters = {"label": f"{content.LABEL}={context}"}
    with blame(f"looking for {name}"):
        found = engine.client.images.list(name=image_names.familiar(name), filters=filters)
    return [each for each in found if each.labels.get(content.VARIANT_LABEL, "") == variant]


def _pushed(
    engine: Engine, artifacts: Artifacts, context: str | None, hint: str, may_pull: bool
) -> str:
    """The digest of the user's tag in the registry.

    Raises ClusterError if it was built from a context other than `context`.
    """
    with blame(f"asking the registry for {artifacts.image}", hint):
        data = engine.client.images.get_registry_data(artifacts.image)
    reference = f"{image_names.repository(artifacts.image)}@{data.id}"
    if context:
        with blame(f"pulling {reference}"):
            try:
                image = engine.client.images.get(reference)
            except ImageNotFound:
                if not may_pull:
                    return reference
                image = engine.client.images.pull(reference)
        where = f"{artifacts.image} of the registry"
        _refuse_changed(image, where, artifacts, context, hint)
    return reference


def _refuse_changed(
    image: Image, name: str, artifacts: Artifacts, context: str | None, hint: str
) -> None:
    built_from = (image.labels or {}).get(content.LABEL)
    # build.sh without mpigen writes no label, so such an image cannot be compared
    if context and built_from and context != built_from:
        raise ClusterError(
            f"{name} is out of date: sources or {artifacts.folder} changed after it was built", hint
        )


def _by_content(image: Image, name: str) -> str:
    """The image's tag by content; `name` if it was built without mpigen."""
    prefix = f"{image_names.familiar(name)}:{content.PREFIX}"
    found = next((tag for tag in image.tags if tag.startswith(prefix)), None)
    return image_names.with_tag(name, image_names.tag(found)) if found else name


def _is_called(image: Image, name: str) -> bool:
    return f"{image_names.familiar(name)}:{image_names.tag(name)}" in image.tags
