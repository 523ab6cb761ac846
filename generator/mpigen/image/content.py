"""The content of an image as a hash: the same context and base images give the same tag."""

import hashlib
import os
import re
import stat
from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath

from mpigen.artifacts import manifest
from mpigen.artifacts.folder import Artifacts
from mpigen.artifacts.paths import (
    AUTHORIZED_KEYS_IN_IMAGE,
    BUILD_SCRIPT,
    CONTEXT,
    CONTEXT_CA,
    CONTEXT_SOURCE,
    KEYS,
    KNOWN_HOSTS_IN_IMAGE,
    MANIFEST,
    NO_SOURCES,
    PRIVATE_KEYS,
    ROOTFS,
)
from mpigen.errors import InputError

PREFIX = "sha-"
LABEL = "mpigen.context"
"""The image's label with the hash of its build context."""
VARIANT_LABEL = "mpigen.group"
"""A variant's label with its name, which the Dockerfile sets."""

_LARGE = 100_000_000
"""The size of the sources, in bytes, from which they are likely to hold data."""
_CHUNK = 1 << 20

# with ssh.delivery secret Swarm mounts configs over these: an image is the same with any keys
_FROM_SWARM = {f"{ROOTFS}{path}" for path in (AUTHORIZED_KEYS_IN_IMAGE, KNOWN_HOSTS_IN_IMAGE)}

_ARGUMENT = re.compile(r"^ARG\s+(BASE)=(\S+)\s*$", re.M)
_FROM = re.compile(r"^FROM\s+(?:--\S+\s+)*(\S+)(?:\s+AS\s+(\S+))?\s*$", re.I | re.M)


def site_folder(artifacts: Artifacts) -> Path:
    """The folder that holds the sources, as in build.sh: SITE, or the artifacts' parent."""
    return Path(os.environ.get("SITE") or artifacts.folder / "..").resolve()


def hash_context(artifacts: Artifacts, site: Path) -> str | None:
    """The sha256 of the context that scripts/build.sh gives to docker build.

    It covers paths, executable bits and bytes, without the files that Swarm delivers. `site` is the
    folder that holds the sources. None if sources or private keys are missing here. Raises
    InputError if a file cannot be read.
    """
    if artifacts.source is not None and not (site / artifacts.source).is_dir():
        return None
    # the Dockerfile does not say which platforms it is for
    digest = hashlib.sha256(" ".join(artifacts.platforms).encode())
    # a site's own script may build in another way
    own = manifest.read(artifacts.folder).templates.get(BUILD_SCRIPT, "").startswith("templates/")
    try:
        if own:
            _add(digest, BUILD_SCRIPT, artifacts.folder / BUILD_SCRIPT)
        for name, file in context_files(artifacts, site):
            if name in _FROM_SWARM and artifacts.delivery == "secret":
                continue
            _add(digest, name, file)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise InputError(f"{error.filename}: cannot be read: {error.strerror}") from error
    return digest.hexdigest()


def context_files(artifacts: Artifacts, site: Path) -> Iterator[tuple[str, Path]]:
    """The files of the build context: the path in it, and the file that build.sh copies there.

    A folder is among them only if it is empty. Raises OSError if a folder cannot be read.
    """
    for name in CONTEXT:
        yield from _tree(name, artifacts.folder / name)
    for name in PRIVATE_KEYS if artifacts.delivery == "image" else ():
        yield name, artifacts.folder / name
    if artifacts.source is not None:
        yield from _sources(site, artifacts.source)
    if artifacts.ca is not None:
        yield CONTEXT_CA, site / artifacts.ca


def describe_data(artifacts: Artifacts, site: Path) -> str:
    """What is large in the sources, if they have over 100 MB; else nothing.

    All of it would be copied into the image, and with the image to every server.
    """
    if artifacts.source is None or not (site / artifacts.source).is_dir():
        return ""
    files = {file: file.lstat().st_size for _, file in _sources(site, artifacts.source)}
    if (total := sum(files.values())) < _LARGE:
        return ""
    largest = max(files, key=files.__getitem__)
    return (
        f"the sources have {total / 1e6:,.0f} MB ({largest.relative_to(site)}: "
        f"{files[largest] / 1e6:,.0f} MB), and all of it goes into the image; "
        "keep data outside of the folder: see mpigen push, and storage in mpigen.yaml"
    )


def tag(context: str, bases: list[str]) -> str:
    """The tag of an image with that context hash on base images with those ids."""
    return PREFIX + hashlib.sha256(" ".join([context, *bases]).encode()).hexdigest()[:12]


def bases(dockerfile: str) -> list[str]:
    """The base images of a Dockerfile, without its own stages."""
    found = _FROM.findall(dockerfile)
    stages = {stage for _, stage in found}
    # with image.platforms the name is an argument
    names = dict(_ARGUMENT.findall(dockerfile))
    found = [(names.get(image.removeprefix("$"), image), stage) for image, stage in found]
    return sorted({image for image, _ in found if image not in stages})


def _sources(site: Path, source: str) -> Iterator[tuple[str, Path]]:
    """The program's sources; if they lie beside mpigen.yaml, not what else lies there."""
    if source != ".":
        yield from _tree(CONTEXT_SOURCE, site / source)
        return
    for each in sorted(site.iterdir()):
        rendered = (each / MANIFEST).exists() and (each / KEYS).is_dir()
        if rendered or any(fnmatchcase(each.name, name) for name in NO_SOURCES):
            continue
        name = f"{CONTEXT_SOURCE}/{each.name}"
        yield from [(name, each)] if each.is_symlink() else _tree(name, each)


def _tree(name: str, path: Path) -> Iterator[tuple[str, Path]]:
    """A file, or the files and empty folders below a folder, in a fixed order, `name` before."""
    if not path.is_dir():
        yield name, path
        return
    for where, folders, names in os.walk(path, onerror=_refuse):
        folders.sort()
        here = Path(where)
        links = [each for each in folders if (here / each).is_symlink()]
        files = [here / each for each in sorted([*names, *links])]
        for file in files if folders or names else [here]:
            yield (PurePosixPath(name) / file.relative_to(path)).as_posix(), file


def _refuse(error: OSError) -> None:
    """Raise the error of a folder that cannot be read, which os.walk would skip."""
    raise error


def _add(digest: "hashlib._Hash", name: str, file: Path) -> None:
    status = file.lstat()
    begin = os.fsencode(name) + b"\0"
    if stat.S_ISREG(status.st_mode):
        kind = "x" if status.st_mode & 0o100 else "f"
        digest.update(f"{kind} {status.st_size} ".encode() + begin)
        with file.open("rb") as opened:
            while chunk := opened.read(_CHUNK):
                digest.update(chunk)
        return
    # an empty folder; a pipe or a socket is not read, as it may never end
    kind, data = "d", b""
    if stat.S_ISLNK(status.st_mode):
        kind, data = "l", os.fsencode(file.readlink())
    digest.update(f"{kind} {len(data)} ".encode() + begin + data)
