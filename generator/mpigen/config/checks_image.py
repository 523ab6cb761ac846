"""Checks of `image` and `app`: what could not be built, pushed or told apart."""

import contextlib
import re
from collections.abc import Iterator
from pathlib import Path

from mpigen.config.conflict import Conflict
from mpigen.config.document import KeyPath
from mpigen.config.models import Config
from mpigen.config.models_image import App, Image
from mpigen.config.patterns import IMAGE
from mpigen.config.site_files import missing
from mpigen.errors import InputError
from mpigen.mpi import IMPLEMENTATIONS
from mpigen.notation import image_names, platforms
from mpigen.package_managers import manager_of
from mpigen.untrusted.quoting import LONGEST, clip
from mpigen.untrusted.reading import MEBIBYTE, read_bytes

# images by the last part of their names, without a package manager that is known here
_NO_PACKAGES = ("archlinux", "busybox", "photon", "scratch")
# folders of a container that programs cannot be copied to, or must not
_NOT_FOR_PROGRAMS = ("/dev", "/etc", "/proc", "/run", "/sys", "/usr/local/libexec/mpi")


def image_conflicts(config: Config, site: Path) -> Iterator[Conflict]:
    """Check `image` and `app`; `site` is the folder of mpigen.yaml."""
    image = config.image
    for name in ("ca", "build_env", "build_packages"):
        fetched = config.mpi.version and not config.brings_mpi and name != "build_packages"
        if getattr(image, name) and not (config.app or image.bench or fetched):
            message = "is for the build stage, which does not exist without app"
            yield Conflict((("image", name), ("app",)), message)
    yield from _package_manager(config)
    yield from _references(config)
    yield from _packages(config)
    yield from _endpoints(image)
    if image.ca:
        yield from _certificates(image.ca, site)
    if config.app:
        yield from _app(config.app, image, site)


def _references(config: Config) -> Iterator[Conflict]:
    image, tag = config.image, config.image.tag or f"{config.name}:latest"
    made = [tag]
    if "@" in tag:
        message = "has a digest, which is not known before the image is built: use a tag"
        yield Conflict((("image", "tag"),), message)
        made = []
    for index, group in enumerate(config.workers):
        own = image_names.add_variant(tag, group.name)
        if group.packages and made:
            made.append(own)
            if not re.fullmatch(IMAGE, own):
                name = clip(own, 2 * LONGEST)
                message = f"its own image would be named {name}, which is not an image reference"
                yield Conflict((("workers", index, "packages"), ("image", "tag")), message)
    yield from _platforms(config, made)
    if _full(image.base) in map(_full, made):
        message = "is built from this base: use another tag, or the base of that image"
        yield Conflict((("image", "base"), ("image", "tag")), message)
    if image.distribute == "registry" and "/" not in tag:
        message = "needs a registry in image.tag, for example registry.example.org/team/solver:1"
        yield Conflict((("image", "distribute"), ("image", "tag")), message)


def _platforms(config: Config, made: list[str]) -> Iterator[Conflict]:
    """Check that each platform is named once, and that the images `made` can have its name."""
    image, only = config.image, IMPLEMENTATIONS[config.mpi.implementation].only
    for index, platform in enumerate(image.platforms):
        at: KeyPath = ("image", "platforms", index)
        if platform in image.platforms[:index]:
            yield Conflict((at,), f"{platform} is listed twice")
        if only and platform not in only:
            message = f"{config.mpi.implementation} MPI exists for {' and '.join(only)} alone"
            yield Conflict((at, ("mpi", "implementation")), message)
        for name in made:
            own = image_names.add_architecture(name, platforms.architecture(platform))
            if len(image.platforms) > 1 and not re.fullmatch(IMAGE, own):
                message = f"its image would be named {clip(own, 2 * LONGEST)}, which is too long"
                yield Conflict((at, ("image", "tag")), message)
                return


def _package_manager(config: Config) -> Iterator[Conflict]:
    """Check that the base image has what installs packages, and that MPI can be had by it."""
    image = config.image
    last = image_names.repository(image.base).rpartition("/")[2]
    if last in _NO_PACKAGES and not image.package_manager and not config.brings_mpi:
        message = "has no package manager that mpigen knows: use an image of Debian or Ubuntu"
        yield Conflict((("image", "base"),), message)
    manager = manager_of(image.base, image.package_manager).name
    if image.apt_mirror and manager != "apt":
        yield Conflict((("image", "apt_mirror"), ("image", "base")), f"is for apt, not {manager}")
    if config.mpi.version and not config.brings_mpi and manager == "apk":
        message = "is a wheel of PyPI, which needs glibc: Alpine has musl"
        yield Conflict((("mpi", "version"), ("image", "base")), message)


def _full(reference: str) -> tuple[str, str]:
    return image_names.familiar(reference), image_names.tag(reference)


def _packages(config: Config) -> Iterator[Conflict]:
    """Check that the package manager takes each package, and no image has two versions of one."""
    manager = manager_of(config.image.base, config.image.package_manager)
    form, words = manager.written
    lists: list[tuple[KeyPath, list[str], list[str]]] = [
        (("image", "packages"), config.image.packages, []),
        (("image", "build_packages"), config.image.build_packages, []),
    ]
    for index, group in enumerate(config.workers):
        lists.append((("workers", index, "packages"), group.packages, config.image.packages))
    for at, own, below in lists:
        versions = dict(each.split("=", 1) for each in below if "=" in each)
        for index, each in enumerate(own):
            name, equals, version = each.partition("=")
            if not re.fullmatch(form, each):
                message = f"{clip(each)} is not a package for {manager.name}: write {words}"
                yield Conflict(((*at, index),), message)
            elif equals and versions.setdefault(name, version) != version:
                message = f"{name} is also requested as {versions[name]}: an image has one version"
                yield Conflict(((*at, index),), message)


def _endpoints(image: Image) -> Iterator[Conflict]:
    first: dict[str, str] = {}
    for node, endpoint in image.endpoints.items():
        at: KeyPath = ("image", "endpoints", node)
        if first.setdefault(endpoint, node) != node:
            yield Conflict((at,), f"{clip(first[endpoint])} also has {clip(endpoint)}")
        port = re.search(r":([0-9]+)$", endpoint)
        if port and not 0 < int(port[1][:9]) <= 65535:
            yield Conflict((at,), f"{clip(port[1])} is not a port: the maximum is 65535")


def _certificates(path: str, site: Path) -> Iterator[Conflict]:
    at: KeyPath = ("image", "ca")
    if why := missing(path, site, Path.is_file, "file"):
        yield Conflict((at,), why)
        return
    try:
        text = read_bytes(site / path, 10 * MEBIBYTE, site)
    except InputError as error:
        yield Conflict((at,), error.message)
        return
    if b"PRIVATE KEY-----" in text:
        yield Conflict((at,), f"{clip(path)} contains a private key: leave it out of the image")
    elif b"CERTIFICATE-----" not in text:
        message = f"{clip(path)} contains no PEM certificate, which begins with "
        yield Conflict((at,), message + "-----BEGIN CERTIFICATE-----")


def _app(app: App, image: Image, site: Path) -> Iterator[Conflict]:
    at: KeyPath = ("app", "source")
    if app.source.partition("/")[0] in ("output", ".git"):
        message = f"{clip(app.source)} cannot be the folder of the sources: "
        message += "output/ contains private keys, and .git/ git's own files"
        yield Conflict((at,), message)
    elif why := missing(app.source, site, Path.is_dir, "folder"):
        yield Conflict((at,), why)
    elif not app.build and not app.python and _lacks_makefile(site / app.source):
        message = "is not set, and app.source has no Makefile for its default, make install"
        yield Conflict((("app", "build"), at), message)
    for folder in _NOT_FOR_PROGRAMS:
        if f"{app.bin}/".startswith(f"{folder}/"):
            message = f"{folder} belongs to the image: use another folder, for example /opt/app/bin"
            yield Conflict((("app", "bin"),), message)
    if "BINDIR" in image.build_env:
        yield Conflict((("image", "build_env", "BINDIR"),), "is app.bin: set it there")
    versions: dict[str, str] = {}
    for index, each in enumerate(app.python):
        name, equals, version = each.partition("==")
        name = re.sub(r"[-_.]+", "-", name.partition("[")[0]).lower()
        if equals and versions.setdefault(name, version) != version:
            message = f"{clip(name)} is also requested as {versions[name]}: choose one version"
            yield Conflict((("app", "python", index),), message)


def _lacks_makefile(folder: Path) -> bool:
    """Whether `make` finds nothing to do in a folder; an empty one may be a git submodule."""
    with contextlib.suppress(OSError):
        names = {each.name for each in folder.iterdir()}
        return bool(names) and names.isdisjoint(("GNUmakefile", "makefile", "Makefile"))
    return False  # it cannot be read, and neither can build.sh
