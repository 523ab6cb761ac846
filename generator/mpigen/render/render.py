"""Cluster -> {path: File}: renders every artifact in memory, without side effects."""

import hashlib
from collections.abc import Mapping
from pathlib import PurePosixPath

from mpigen.artifacts.manifest import File
from mpigen.artifacts.paths import (
    BUILD_SCRIPT,
    DOCKERFILE,
    HOST_KEY,
    IGNORE,
    KEYS,
    MANIFEST,
    STACK,
    USER_KEY,
)
from mpigen.cluster.model import Cluster
from mpigen.errors import InputError
from mpigen.keys.pair import PublicKeys
from mpigen.mpi import IMPLEMENTATIONS
from mpigen.render.diagnostics import together
from mpigen.render.files import artifact, is_template
from mpigen.render.gitignore import refuse_admitting
from mpigen.render.lint import check
from mpigen.render.templates import Templates
from mpigen.stackfile.merge import merge
from mpigen.untrusted.yaml_limits import load_artifact

# No comment can be in JSON, nor in what sshd shows to people at a login.
_UNCOMMENTABLE = (".json", "/motd", "/issue", "/issue.net", "/banner")
# The start and end of a comment, by suffix; in all other files a comment starts with #.
_COMMENTS = {"md": ("<!--", " -->"), "html": ("<!--", " -->"), "c": ("/*", " */")}
# Written by mpigen itself, so no template may make them.
_RESERVED = (f"{KEYS}/", MANIFEST)
# Files in Swarm secrets and configs (`ssh.delivery: secret`). The secret of a private key is named
# after the hash of its public half, as a clone of the repository has nothing else.
_HELD = {
    f"{KEYS}/{USER_KEY}.pub": "user_key",
    f"{KEYS}/{HOST_KEY}.pub": "host_key",
    "rootfs/etc/mpi/authorized_keys": "authorized_keys",
    "rootfs/etc/ssh/ssh_known_hosts": "known_hosts",
}
# Artifacts that every rendered folder must have.
_REQUIRED = (STACK, DOCKERFILE, BUILD_SCRIPT, IGNORE, *_HELD)
# A template can leave its artifact out by printing nothing; a copied file cannot. So these are
# copied only for the MPIs that name them in `programs`, and for image.bench.
_PROGRAMS = "rootfs/usr/local/bin/"
_MPI_PROGRAMS = {
    f"{_PROGRAMS}{program}" for each in IMPLEMENTATIONS.values() for program in each.programs
}
_BENCH_FILES = {f"{_PROGRAMS}mpi-bench", "rootfs/usr/local/src/mpi-bench.c"}


def render(cluster: Cluster, keys: PublicKeys, templates: Templates) -> dict[str, File]:
    """Every artifact of `cluster` by its path below output/, sorted by path.

    The same arguments give the same bytes. A template that prints nothing but white space makes
    no artifact. Raises InputError with all mistakes in templates.
    """
    check(templates)
    context: dict[str, object] = {"cluster": cluster, "keys": keys}
    files = {path: File(text, 0o644, "keys") for path, text in keys.files().items()}
    errors: list[InputError] = []
    for name in sorted(templates.names, key=lambda name: artifact(name) not in _HELD):
        path, origin = artifact(name), templates.origin(name)
        if path.startswith(_RESERVED):
            raise InputError(f"{origin}: {path} is written by mpigen itself, not by a template")
        if not _is_used(path, cluster):
            continue
        try:
            text = templates.render(name, context)
            if is_template(name) and not text.strip():
                _refuse_if_required(path, origin)
                continue
            _check_text(path, text, origin)
        except InputError as error:
            errors.append(error)
            if path in _HELD:  # the other templates need the names in `held`
                break
            continue
        if path == STACK and cluster.additions:
            text = merge(text, cluster.additions)
        if is_template(name):
            text = _with_header(path, text, origin)
        mode = 0o755 if text.startswith("#!") else 0o644
        files[path] = File(text, mode, origin)
        if path in _HELD:
            context["held"] = _held(files)
    if errors:
        raise together(errors)
    _refuse_files_in_files(files)
    return dict(sorted(files.items()))


def _is_used(path: str, cluster: Cluster) -> bool:
    """Whether `cluster` has the artifact: some programs are for one MPI, or for the bench."""
    if path in _BENCH_FILES:
        return cluster.image.bench
    return path not in _MPI_PROGRAMS or path.removeprefix(_PROGRAMS) in cluster.mpi.programs


def _refuse_if_required(path: str, origin: str) -> None:
    """Raise InputError if the artifact, for which the template prints nothing, is required."""
    if path in _REQUIRED:
        raise InputError(f"{origin} gives nothing, but a cluster needs {path}")


def _refuse_files_in_files(files: Mapping[str, File]) -> None:
    """Raise InputError if the path of one artifact is a folder of another."""
    for path, file in files.items():
        for parent in PurePosixPath(path).parents:
            if other := files.get(parent.as_posix()):
                raise InputError(
                    f"{other.template} makes the file {parent}, and {file.template} {path}",
                    "Rename one of them: nothing can be a file and a folder.",
                )


def _held(files: dict[str, File]) -> dict[str, str]:
    """The name of each Swarm secret and config: its kind and a hash of its content."""
    return {
        name: f"{name}_{hashlib.sha256(files[path].text.encode()).hexdigest()[:12]}"
        for path, name in _HELD.items()
        if path in files
    }


def _with_header(path: str, text: str, origin: str) -> str:
    """`text` with a header that names its origin, below a shebang or parser directives."""
    if path.endswith(_UNCOMMENTABLE):
        return text
    notice = f"generated by mpigen from {origin}; edit mpigen.yaml or the site's templates; "
    notice += "run `mpigen render`"
    opens, closes = _COMMENTS.get(path.rpartition(".")[2], ("#", ""))
    header = f"{opens} {notice}{closes}\n"
    lines = text.splitlines(keepends=True)
    above = 0
    while above < len(lines) and lines[above].startswith(("#!", "# syntax=", "# escape=")):
        above += 1
    return "".join([*lines[:above], header, *lines[above:]])


def _check_text(path: str, text: str, origin: str) -> None:
    """Raise InputError for a .gitignore that admits private keys, or for invalid YAML."""
    if path == IGNORE:
        refuse_admitting(text, origin)
    if path.endswith((".yml", ".yaml")):
        load_artifact(text, origin)
