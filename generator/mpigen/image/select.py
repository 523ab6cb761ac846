"""Select the image to deploy."""

from pathlib import Path

from docker.errors import ImageNotFound
from docker.models.images import Image

from mpigen.artifacts.folder import Artifacts
from mpigen.errors import ClusterError, InputError
from mpigen.image import content
from mpigen.image.identity import identity
from mpigen.notation import image_names
from mpigen.swarm.engine import Engine, blame


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
    if artifacts.distribute == "registry" and len(artifacts.platforms) > 1:
        # what was built here is for one of them; the registry has the list
        return _pushed(engine, artifacts, context, hint, may_pull)
    if artifacts.distribute == "registry":
        known = [digest for image in same if (digest := digest_of(image, artifacts.image))]
        return known[0] if known else _pushed(engine, artifacts, context, hint, may_pull)
    if same:
        named = [image for image in same if _is_called(image, artifacts.image)]
        return _by_content((named or same)[0], artifacts.image)
    image = get(engine, artifacts.image, hint)
    _refuse_changed(image, artifacts.image, artifacts, context, hint)
    return _by_content(image, artifacts.image)


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


def platform_of(image: Image) -> str:
    """The platform that an image is for, such as linux/amd64."""
    return f"{image.attrs['Os']}/{image.attrs['Architecture']}"


def _of_context(engine: Engine, name: str, context: str, variant: str) -> list[Image]:
    """The images built from a context, even if the user's tag has since moved to another."""
    filters = {"label": f"{content.LABEL}={context}"}
    with blame(f"looking for {name}"):
        found = engine.client.images.list(name=image_names.familiar(name), filters=filters)
    return [
        each
        for each in found
        if each.labels.get(content.VARIANT_LABEL, "") == variant
        and not _is_of_another_platform(each, name)
    ]


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
                # a manager may have another processor than all workers
                here = engine.platform
                wanted = here if here in artifacts.platforms else (*artifacts.platforms, None)[0]
                image = engine.client.images.pull(reference, platform=wanted)
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
    found = _content_tags(image, name)
    return image_names.with_tag(name, image_names.tag(found[0])) if found else name


def _content_tags(image: Image, name: str) -> list[str]:
    """The image's tags by content, without those with a platform, which have a dot."""
    prefix = f"{image_names.familiar(name)}:{content.PREFIX}"
    return [tag for tag in image.tags if tag.startswith(prefix) and "." not in tag[len(prefix) :]]


def _is_of_another_platform(image: Image, name: str) -> bool:
    """Whether the image has only tags with a platform: it was built here for other engines."""
    prefix = f"{image_names.familiar(name)}:{content.PREFIX}"
    return any(tag.startswith(prefix) for tag in image.tags) and not _content_tags(image, name)


def _is_called(image: Image, name: str) -> bool:
    return f"{image_names.familiar(name)}:{image_names.tag(name)}" in image.tags
