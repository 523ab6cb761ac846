"""The kinds of value that mpigen.yaml holds, each with what Docker or MPI would refuse.

Each kind is a pydantic annotation: a plain type, the check that a value must pass, and its form
for editors (`patterns.py`). A check raises ValueError saying what is wrong and what would be right.
"""

import math
import re
from ipaddress import IPv4Network
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, Strict, WithJsonSchema

from mpigen.config import patterns
from mpigen.notation.sizes import format_bytes, parse_bytes

# Swarm refuses a container below this: moby, daemon/daemon_unix.go, linuxMinMemory
MEMORY_MINIMUM = 6 * 1024**2
# moby, daemon/daemon_unix.go: "Range of CPUs is from 0.01 to N"
CPUS_MINIMUM = 0.01
SHM_MINIMUM = 4096
# moby/moby#39204: the first with host names of tasks that resolve
OLDEST_ENGINE = (20, 10)


def _matching(pattern: str, advice: str) -> AfterValidator:
    def check(text: str) -> str:
        if not re.fullmatch(pattern, text):
            raise ValueError(f"{text!r} {advice}")
        return text

    return AfterValidator(check)


def _label(text: str) -> str:
    if not re.fullmatch(patterns.LABEL, text):
        near = near_label(text)
        raise ValueError(
            f"{text!r} is no DNS label: use a-z, 0-9 and -, with a letter or digit at both ends"
            + (f", as in {near}" if near else "")
        )
    if len(text) > patterns.LABEL_LIMIT:
        most = f"{patterns.LABEL_LIMIT} characters at most"
        raise ValueError(f"a DNS label has {most}, this has {len(text)}")
    return text


def near_label(text: str) -> str:
    """The characters of `text` that a DNS label may have; none of them may be left."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")


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
    if not re.fullmatch(patterns.IMAGE, text):
        raise ValueError(
            f"{text!r} is no image reference: write [registry/]name[:tag], the name in lower case"
        )
    return text


def _cpus(value: object) -> object:
    """CPUs as text: `2`, `1.5`. Docker reads a decimal of at most 9 places."""
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        raise ValueError("must be a number of CPUs, as in 2 or 1.5")
    text = str(value)
    if not re.fullmatch(patterns.CPUS, text):
        raise ValueError(
            f"{text!r} is no number of CPUs that Docker takes: "
            "write 2 or 1.5, with 9 decimals at most"
        )
    if float(text) < CPUS_MINIMUM:
        raise ValueError(f"{text} is less than {CPUS_MINIMUM} CPUs, the least that Docker takes")
    return text


def _slots(value: object) -> object:
    """None for `auto`; of all else, what is no number of ranks is found where the type is."""
    if isinstance(value, str) and not value.isdecimal() and value != "auto":
        raise ValueError(f"must be auto or a whole number, not the text {value!r}")
    return None if value == "auto" else value


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
    if not re.fullmatch(patterns.CONSTRAINT, text):
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


def _env_value(text: str) -> str:
    return _one_line(text) if text else text


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


def _engine_version(value: object) -> str:
    if not isinstance(value, str) or not re.fullmatch(patterns.ENGINE_VERSION, value):
        shown = value if isinstance(value, str) else f"{value}, which is no text,"
        raise ValueError(f"{shown} is no version of Docker: write it in quotes, as in '25.0'")
    if tuple(map(int, value.split("."))) < OLDEST_ENGINE:
        raise ValueError(f"{value} is too old: 20.10 is the first with host names that resolve")
    return value


StrictText = Annotated[str, Strict()]
StrictInt = Annotated[int, Strict()]
StrictBool = Annotated[bool, Strict()]
Label = Annotated[StrictText, AfterValidator(_label), patterns.label]
Command = Annotated[StrictText, AfterValidator(_command), patterns.commands]
CommandLine = Annotated[StrictText, AfterValidator(_one_line), patterns.line]
ImageReference = Annotated[StrictText, AfterValidator(_image), patterns.image]
Cpus = Annotated[str, BeforeValidator(_cpus), patterns.cpus]
Memory = Annotated[
    int,
    _size(MEMORY_MINIMUM, "the least memory that Docker takes"),
    patterns.size(MEMORY_MINIMUM),
]
Shm = Annotated[
    int, _size(SHM_MINIMUM, "a page of memory, and the least"), patterns.size(SHM_MINIMUM)
]
Slots = Annotated[
    Annotated[StrictInt, Field(ge=1)] | None,
    BeforeValidator(_slots),
    patterns.slots,
]
StackKeys = Annotated[
    dict[str, Any],
    AfterValidator(_plain),
    WithJsonSchema({"title": "mapping", "type": "object"}),
]
Subnet = Annotated[IPv4Network, BeforeValidator(_subnet), patterns.subnet]
Constraint = Annotated[StrictText, AfterValidator(_constraint), patterns.constraint]
SiteFolder = Annotated[StrictText, AfterValidator(_folder), patterns.folder]
SiteFile = Annotated[StrictText, AfterValidator(_folder), patterns.file]
EnvName = Annotated[
    StrictText,
    _matching(patterns.ENV_NAME, "is no name of an environment variable"),
    patterns.env_name,
]
EnvValue = Annotated[StrictText, AfterValidator(_env_value), patterns.env_value]
ParamValue = Annotated[str, BeforeValidator(_param), patterns.param_value]
ParamName = Annotated[
    StrictText,
    _matching(
        patterns.PARAM,
        "is no MPI parameter: use a-z, 0-9 and _ for Open MPI's, A-Z, 0-9 and _ for MPICH's",
    ),
    patterns.param,
]
Package = Annotated[
    StrictText,
    _matching(patterns.PACKAGE, "is no Debian package: write name or name=version, one an item"),
    patterns.package,
]
PythonPackage = Annotated[
    StrictText,
    _matching(patterns.PYTHON, "is no Python package: write name, name==version or name>=version"),
    patterns.python,
]
AptMirror = Annotated[
    StrictText,
    # apt checks signatures itself; for https the image would have to trust whom the site trusts
    _matching(patterns.MIRROR, "is no mirror: write http://HOST[:PORT][/PATH], before its /debian"),
    patterns.mirror,
]
UserName = Annotated[
    StrictText,
    _matching(
        patterns.USER,
        "is no name for the unprivileged user: use a-z, 0-9, _ and -, and none that Debian has",
    ),
    patterns.user,
]
NodeName = Annotated[
    StrictText,
    _matching(patterns.NODE, "is no host name of a node: take it from docker node ls"),
    patterns.node,
]
StorageSource = Annotated[
    StrictText,
    _matching(patterns.STORAGE, "is neither a volume's name, as in data, nor an absolute path"),
    patterns.storage,
]
MountOptions = Annotated[
    StrictText,
    _matching(
        patterns.MOUNT_OPTIONS, "are no mount options: write them as in nfsvers=4.2,hard, no addr="
    ),
    patterns.mount_options,
]
ServerName = Annotated[
    StrictText,
    _matching(patterns.SERVER, "is no host name or address, as in nfs.example.org"),
    patterns.server,
]
ResourceName = Annotated[
    StrictText,
    _matching(patterns.RESOURCE, "is no name of a generic resource, as in NVIDIA-GPU"),
    patterns.resource,
]
EngineVersion = Annotated[str, BeforeValidator(_engine_version), patterns.engine_version]
EngineUrl = Annotated[
    StrictText,
    _matching(
        patterns.ENGINE,
        "is no Docker endpoint: use ssh://USER@HOST, tcp://HOST:PORT or unix:///PATH",
    ),
    patterns.engine,
]
ImagePath = Annotated[
    StrictText,
    _matching(
        patterns.PATH,
        "must be an absolute path of letters, digits and ._+-, as in /opt/app/bin",
    ),
    patterns.path,
]
