"""Cluster -> {path: File}: every artifact in memory, no side effects."""

import hashlib
from collections.abc import Mapping
from pathlib import PurePosixPath

import yaml

from mpigen.artifacts.manifest import File
from mpigen.artifacts.paths import (
    BUILD_SCRIPT,
    DOCKERFILE,
    HOST_KEY,
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
from mpigen.render.lint import check
from mpigen.render.templates import Templates
from mpigen.stackfile.merge import merge

_NO_COMMENTS = (".json",)
# how a comment begins and ends, where it is not by a #
_COMMENTS = {"md": ("<!--", " -->"), "html": ("<!--", " -->"), "c": ("/*", " */")}
# made by mpigen itself
_OWN = (f"{KEYS}/", MANIFEST)
# what Swarm secrets and configs hold with `ssh.delivery: secret`: a private key is named after its
# public half, since a clone has no other
_HELD = {
    f"{KEYS}/{USER_KEY}.pub": "user_key",
    f"{KEYS}/{HOST_KEY}.pub": "host_key",
    "rootfs/etc/mpi/authorized_keys": "authorized_keys",
    "rootfs/etc/ssh/ssh_known_hosts": "known_hosts",
}
_IGNORE = ".gitignore"
# keeps private keys out of git; a site's .gitignore, meant for its templates/ perhaps, may lack it
_NO_KEYS = f"/{KEYS}/*"
# what no rendered folder can do without
_NEEDED = (STACK, DOCKERFILE, BUILD_SCRIPT, _IGNORE, *_HELD)
# Files that are copied cannot leave themselves out, as a template that gives nothing does. So these
# are for the MPIs that name them, and for image.bench.
_PROGRAMS = "rootfs/usr/local/bin/"
_OF_AN_MPI = {
    f"{_PROGRAMS}{program}" for each in IMPLEMENTATIONS.values() for program in each.programs
}
_BENCH = {f"{_PROGRAMS}mpi-bench", "rootfs/usr/local/src/mpi-bench.c"}
# libyaml's where PyYAML was built with it: ten times as fast
_YAML_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def render(cluster: Cluster, keys: PublicKeys, templates: Templates) -> dict[str, File]:
    """Every artifact of `cluster` by its path below output/, in the order of the paths.

    Same arguments, same bytes. A template that gives white space alone makes no artifact. Raises
    InputError where a template is at fault.
    """
    check(templates)
    context: dict[str, object] = {"cluster": cluster, "keys": keys}
    files = {path: File(text, 0o644, "keys") for path, text in keys.files().items()}
    wrong: list[InputError] = []
    for name in sorted(templates.names, key=lambda name: artifact(name) not in _HELD):
        path, origin = artifact(name), templates.origin(name)
        if path.startswith(_OWN):
            raise InputError(f"{origin}: {path} is mpigen's own, and no template's")
        if not _wanted(path, cluster):
            continue
        try:
            text = templates.render(name, context)
            if is_template(name) and not text.strip():
                _refuse_needed(path, origin)
                continue
            _check(path, text, origin)
        except InputError as error:
            wrong.append(error)
            if path in _HELD:  # the others are given names of these
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
    if wrong:
        raise together(wrong)
    _refuse_files_in_files(files)
    return dict(sorted(files.items()))


def _wanted(path: str, cluster: Cluster) -> bool:
    """Whether this cluster has the artifact: some programs are for one MPI, or for the bench."""
    if path in _BENCH:
        return cluster.image.bench
    return path not in _OF_AN_MPI or path.removeprefix(_PROGRAMS) in cluster.mpi.programs


def _refuse_needed(path: str, origin: str) -> None:
    """Raise InputError if the artifact, of which the template gives nothing, must be there."""
    if path in _NEEDED:
        raise InputError(f"{origin} gives nothing, and a cluster needs {path}")


def _refuse_files_in_files(files: Mapping[str, File]) -> None:
    """Raise InputError if one artifact would have to be the folder of another."""
    for path, file in files.items():
        for parent in PurePosixPath(path).parents:
            if other := files.get(parent.as_posix()):
                raise InputError(
                    f"{other.template} makes the file {parent}, and {file.template} {path}",
                    "Rename one of them: nothing can be a file and a folder.",
                )


def _held(files: dict[str, File]) -> dict[str, str]:
    """The name of each Swarm secret and config: what it is, and a hash of what is in it."""
    return {
        name: f"{name}_{hashlib.sha256(files[path].text.encode()).hexdigest()[:12]}"
        for path, name in _HELD.items()
        if path in files
    }


def _with_header(path: str, text: str, origin: str) -> str:
    """`text` with the line that says what it was made from, below a shebang or directives."""
    if path.endswith(_NO_COMMENTS):
        return text
    says = f"generated by mpigen from {origin}; edit mpigen.yaml or the site's templates; "
    says += "run `mpigen render`"
    opens, closes = _COMMENTS.get(path.rpartition(".")[2], ("#", ""))
    header = f"{opens} {says}{closes}\n"
    lines = text.splitlines(keepends=True)
    above = 0
    while above < len(lines) and lines[above].startswith(("#!", "# syntax=", "# escape=")):
        above += 1
    return "".join([*lines[:above], header, *lines[above:]])


def _check(path: str, text: str, origin: str) -> None:
    if path == _IGNORE and _NO_KEYS not in text.splitlines():
        raise InputError(
            f"{origin} makes output/{path}, and lets private keys into git",
            f"It needs the line {_NO_KEYS}: `mpigen templates show {path}` has it.",
        )
    if not path.endswith((".yml", ".yaml")):
        return
    try:
        yaml.load(text, Loader=_YAML_LOADER)
    except yaml.YAMLError as error:
        raise InputError(f"{origin} does not give valid YAML: {error}") from error
