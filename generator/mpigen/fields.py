"""The kinds of value that mpigen.yaml holds, each with what Docker or MPI would refuse.

Each kind is a pydantic annotation: a plain type and the check that a value must pass. A check
raises ValueError saying what is wrong and what would be right.
"""

import math
import re
from ipaddress import IPv4Network
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Strict

from mpigen.sizes import format_bytes, parse_bytes

# Swarm refuses a container below this: moby, daemon/daemon_unix.go, linuxMinMemory
MEMORY_MINIMUM = 6 * 1024**2
# moby, daemon/daemon_unix.go: "Range of CPUs is from 0.01 to N"
CPUS_MINIMUM = 0.01

# users and groups of Debian's base-passwd and of openssh-server: useradd would refuse them
_TAKEN_USERS = (
    "root|daemon|bin|sys|sync|games|man|lp|mail|news|uucp|proxy|www-data|backup|list|irc|_apt|"
    "nobody|nogroup|sshd|_ssh|adm|tty|disk|kmem|dialout|fax|voice|cdrom|floppy|tape|sudo|audio|"
    "dip|operator|src|shadow|utmp|video|sasl|plugdev|staff|users"
)


def _matching(pattern: str, advice: str) -> AfterValidator:
    def check(text: str) -> str:
        if not re.fullmatch(pattern, text):
            raise ValueError(f"{text!r} {advice}")
        return text

    return AfterValidator(check)


def _label(text: str) -> str:
    label = r"[a-z0-9]([a-z0-9-]*[a-z0-9])?"
    if not re.fullmatch(label, text):
        near = re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")
        raise ValueError(
            f"{text!r} is no DNS label: use a-z, 0-9 and -, with a letter or digit at both ends"
            + (f", as in {near}" if near else "")
        )
    if len(text) > 63:
        raise ValueError(f"a DNS label has 63 characters at most, this has {len(text)}")
    return text


def _one_line(text: str) -> str:
    if not text.strip():
        raise ValueError("must not be empty")
    if not all(character.isprintable() for character in text):
        raise ValueError("must be one line without control characters")
    return text


def _command(text: str) -> str:
    if not text.strip():
        raise ValueError("must not be empty")
    for character in text:
        if not character.isprintable() and character not in "\n\t":
            raise ValueError(f"holds the control character {character!a}")
    return text


def _image(text: str) -> str:
    # distribution/reference, regexp.go: [domain/]path[:tag][@digest], in lower case but the tag
    host = r"(?:[a-zA-Z0-9](?:[a-zA-Z0-9.-]*[a-zA-Z0-9])?(?::[0-9]+)?/)?"
    part = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
    tag = r"(?::[A-Za-z0-9_][A-Za-z0-9_.-]{0,127})?(?:@sha256:[0-9a-f]{64})?"
    if not re.fullmatch(f"{host}{part}(?:/{part})*{tag}", text):
        raise ValueError(
            f"{text!r} is no image reference: write [registry/]name[:tag], the name in lower case"
        )
    return text


def _cpus(value: object) -> object:
    """CPUs as text: `2`, `1.5`. Docker reads a decimal of at most 9 places."""
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        raise ValueError("must be a number of CPUs, as in 2 or 1.5")
    text = str(value)
    if not re.fullmatch(r"[0-9]+(\.[0-9]{1,9})?", text):
        raise ValueError(
            f"{text!r} is no number of CPUs that Docker takes: "
            "write 2 or 1.5, with 9 decimals at most"
        )
    if float(text) < CPUS_MINIMUM:
        raise ValueError(f"{text} is less than {CPUS_MINIMUM} CPUs, the least that Docker takes")
    return text


def _size(least: int, why: str) -> BeforeValidator:
    def check(value: object) -> object:
        """Bytes, from a Docker size."""
        if isinstance(value, bool) or not isinstance(value, (str, int)):
            raise ValueError(f"{value!r} is no size: write it with its unit, as in 512m or 4g")
        size = parse_bytes(str(value))
        if size < least:
            raise ValueError(f"{value} is {size} bytes: {format_bytes(least)} is {why}")
        return size

    return BeforeValidator(check)


def _subnet(value: object) -> object:
    if not isinstance(value, str):
        raise ValueError("must be a subnet, as in 10.77.0.0/24")
    try:
        network = IPv4Network(value, strict=False)
    except ValueError as error:
        raise ValueError(f"{value!r} is no IPv4 subnet: write one as in 10.77.0.0/24") from error
    if "/" not in value:
        raise ValueError(f"{value!r} has no prefix length: write it as in {value}/24")
    address = value.partition("/")[0]
    if str(network.network_address) != address:
        raise ValueError(f"{value} is an address in a network, not the network: write {network}")
    if network.is_loopback or network.is_multicast or network.is_link_local:
        raise ValueError(f"{value} is reserved: take a private one, as in 10.77.0.0/24")
    if not 8 <= network.prefixlen <= 29:
        raise ValueError(f"/{network.prefixlen} makes no overlay: take a prefix from /8 to /29")
    return network


def _constraint(text: str) -> str:
    # swarmkit, manager/constraint/constraint.go; a key that it does not know matches no node
    label = r"labels\.[a-zA-Z0-9][a-zA-Z0-9_.-]*"
    key = rf"(?:node\.(?:id|hostname|ip|role|platform\.os|platform\.arch|{label})|engine\.{label})"
    value = r"[a-zA-Z0-9:_ .*()?+\[\]\\^$|/-]+"
    if not re.fullmatch(rf" *{key} *(?:==|!=) *{value}", text):
        raise ValueError(
            f"{text!r} is no placement constraint: write KEY==VALUE or KEY!=VALUE, where KEY is "
            "node.labels.NAME, engine.labels.NAME, or node. and one of "
            "id, hostname, ip, role, platform.os, platform.arch"
        )
    return text


def _folder(text: str) -> str:
    _one_line(text)
    parts = text.split("/")
    folder = "/".join(part for part in parts if part not in ("", "."))
    # the site itself would take its private keys into the build
    if text.startswith(("/", "-", "~")) or ".." in parts or not folder:
        raise ValueError(f"{text!r} must be a folder below this file's, as in app or src/solver")
    return folder


def _param(value: object) -> object:
    if isinstance(value, bool):
        return "1" if value else "0"
    if isinstance(value, (int, float)):
        return str(value)
    if not isinstance(value, str):
        raise ValueError("must be text or a number")
    _one_line(value)
    if value != value.strip() or "#" in value or '"' in value:
        raise ValueError(f"{value!a} cannot be an MPI parameter: no quotes, # or outer spaces")
    return value


def _plain(value: object) -> object:
    """What JSON could say too: other kinds, such as YAML's dates, are refused."""
    if isinstance(value, dict):
        for key, item in value.items():
            if not isinstance(key, str):
                raise ValueError(f"the key {key!r} must be text: put it in quotes")
            _plain(item)
    elif isinstance(value, list):
        for item in value:
            _plain(item)
    elif isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"{value} is no number that Docker reads")
    elif value is not None and not isinstance(value, (str, bool, int, float)):
        raise ValueError(f"{value} is read as a {type(value).__name__}: put it in quotes")
    return value


StrictText = Annotated[str, Strict()]
StrictInt = Annotated[int, Strict()]
Label = Annotated[StrictText, AfterValidator(_label)]
Command = Annotated[StrictText, AfterValidator(_command)]
CommandLine = Annotated[StrictText, AfterValidator(_one_line)]
ImageReference = Annotated[StrictText, AfterValidator(_image)]
Cpus = Annotated[str, BeforeValidator(_cpus)]
Memory = Annotated[int, _size(MEMORY_MINIMUM, "the least memory that Docker takes")]
Shm = Annotated[int, _size(4096, "a page of memory, and the least")]
StackKeys = Annotated[dict[str, Any], AfterValidator(_plain)]
Subnet = Annotated[IPv4Network, BeforeValidator(_subnet)]
Constraint = Annotated[StrictText, AfterValidator(_constraint)]
SiteFolder = Annotated[StrictText, AfterValidator(_folder)]
ParamValue = Annotated[str, BeforeValidator(_param)]
ParamName = Annotated[
    StrictText, _matching(r"[a-z][a-z0-9_]*", "is no MCA parameter: use a-z, 0-9 and _")
]
# deb-version(7) and the package name rules of Debian policy 5.6.1
Package = Annotated[
    StrictText,
    _matching(
        r"[a-z0-9][a-z0-9+.-]+(=[0-9][A-Za-z0-9.+:~-]*)?",
        "is no Debian package: write name or name=version, one an item",
    ),
]
UserName = Annotated[
    StrictText,
    _matching(
        rf"(?!(?:{_TAKEN_USERS})$)[a-z_][a-z0-9_-]{{0,31}}",
        "is no name for the unprivileged user: use a-z, 0-9, _ and -, and none that Debian has",
    ),
]
ImagePath = Annotated[
    StrictText,
    _matching(
        r"(/[A-Za-z0-9_][A-Za-z0-9._+-]*)+",
        "must be an absolute path of letters, digits and ._+-, as in /opt/app/bin",
    ),
]
