"""The value types of mpigen.yaml, as pydantic annotations.

Each combines a plain type, its validator (`values.py`) and its JSON Schema for editors
(`patterns.py`).
"""

import re
from ipaddress import IPv4Network
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, Strict, WithJsonSchema

from mpigen.config import limits, patterns, values
from mpigen.notation.sizes import format_bytes, parse_bytes
from mpigen.untrusted.quoting import clip, shown

# Docker refuses a smaller memory limit: moby, daemon/daemon_unix.go, linuxMinMemory
MEMORY_MINIMUM = 6 * 1024**2
SHM_MINIMUM = 4096


def _matching(pattern: str, advice: str) -> AfterValidator:
    def check(text: str) -> str:
        if not re.fullmatch(pattern, text):
            raise ValueError(f"{shown(text)} {advice}")
        return text

    return AfterValidator(check)


def _size(least: int, why: str) -> BeforeValidator:
    def check(value: object) -> object:
        """Convert a Docker size to bytes."""
        if isinstance(value, bool) or not isinstance(value, (str, int)):
            raise ValueError(
                f"{shown(value)} is not a size: write it with a unit, for example 512m or 4g"
            )
        text = shown(value) if isinstance(value, int) else value
        size = parse_bytes(text)
        if size < least:
            raise ValueError(
                f"{clip(text)} is {size} bytes: the minimum is {format_bytes(least)}{why}"
            )
        if size > limits.BYTES:
            raise ValueError(
                f"{clip(text)} is too large: the maximum is {format_bytes(limits.BYTES)}"
            )
        return size

    return BeforeValidator(check)


StrictText = Annotated[str, Strict(), Field(max_length=limits.LINE)]
StrictInt = Annotated[int, Strict()]
StrictBool = Annotated[bool, Strict()]
Label = Annotated[StrictText, AfterValidator(values.label), patterns.label]
Command = Annotated[
    str,
    Strict(),
    Field(max_length=limits.COMMANDS),
    AfterValidator(values.command),
    patterns.commands,
]
CommandLine = Annotated[StrictText, AfterValidator(values.one_line), patterns.line]
ImageReference = Annotated[StrictText, AfterValidator(values.image), patterns.image]
Cpus = Annotated[str, BeforeValidator(values.cpus), patterns.cpus]
Memory = Annotated[
    int,
    _size(MEMORY_MINIMUM, ", which Docker requires"),
    patterns.size(MEMORY_MINIMUM),
]
Shm = Annotated[int, _size(SHM_MINIMUM, ", a page of memory"), patterns.size(SHM_MINIMUM)]
Slots = Annotated[
    Annotated[StrictInt, Field(ge=1, le=limits.SLOTS)] | None,
    BeforeValidator(values.slots),
    patterns.slots,
]
StackKeys = Annotated[
    dict[str, Any],
    AfterValidator(values.plain),
    WithJsonSchema({"title": "mapping", "type": "object"}),
]
Subnet = Annotated[IPv4Network, BeforeValidator(values.subnet), patterns.subnet]
Constraint = Annotated[StrictText, AfterValidator(values.constraint), patterns.constraint]
SiteFolder = Annotated[StrictText, AfterValidator(values.sources), patterns.folder]
SiteFile = Annotated[StrictText, AfterValidator(values.folder), patterns.file]
EnvName = Annotated[
    StrictText,
    _matching(patterns.ENV_NAME, "is not a name of an environment variable"),
    patterns.env_name,
]
EnvValue = Annotated[StrictText, AfterValidator(values.env_value), patterns.env_value]
ParamValue = Annotated[str, BeforeValidator(values.param), patterns.param_value]
ParamName = Annotated[
    StrictText,
    _matching(
        patterns.PARAM,
        "is not an MPI parameter: use a-z, 0-9 and _ for Open MPI's, A-Z, 0-9 and _ for MPICH's",
    ),
    patterns.param,
]
Package = Annotated[
    StrictText,
    _matching(patterns.PACKAGE, "is not a package: write name or name=version, one per item"),
    patterns.package,
]
PythonPackage = Annotated[
    StrictText,
    _matching(
        patterns.PYTHON, "is not a Python package: write name, name==version or name>=version"
    ),
    patterns.python,
]
AptMirror = Annotated[
    StrictText,
    BeforeValidator(values.plain_mirror),
    _matching(
        patterns.MIRROR, "is not a mirror: write http://HOST[:PORT][/PATH], before its /debian"
    ),
    patterns.mirror,
]
UserName = Annotated[
    StrictText,
    _matching(
        patterns.USER,
        "is not a name for the unprivileged user: use a-z, 0-9, _ and -, and not a name that "
        "Debian uses",
    ),
    patterns.user,
]
NodeName = Annotated[
    StrictText,
    _matching(patterns.NODE, "is not a host name of a node: docker node ls shows them"),
    patterns.node,
]
Platform = Literal["linux/amd64", "linux/arm64"]
MpiName = Annotated[str, BeforeValidator(values.mpi_name), patterns.mpi_name]
MpiVersion = Annotated[
    StrictText,
    _matching(patterns.MPI_VERSION, "is not a version: write it in quotes, for example '5.0.10'"),
    patterns.mpi_version,
]
StorageSource = Annotated[
    StrictText,
    _matching(
        patterns.STORAGE, "is neither a volume's name, for example data, nor an absolute path"
    ),
    patterns.storage,
]
MountOptions = Annotated[
    StrictText,
    _matching(
        patterns.MOUNT_OPTIONS,
        "are not mount options: write them like nfsvers=4.2,hard, without addr=",
    ),
    patterns.mount_options,
]
ServerName = Annotated[
    StrictText,
    _matching(patterns.SERVER, "is not a host name or address, for example nfs.example.org"),
    patterns.server,
]
ResourceName = Annotated[
    StrictText,
    _matching(patterns.RESOURCE, "is not a name of a generic resource, for example GPU"),
    patterns.resource,
]
EngineVersion = Annotated[str, BeforeValidator(values.engine_version), patterns.engine_version]
EngineUrl = Annotated[
    StrictText,
    _matching(
        patterns.ENGINE,
        "is not a Docker endpoint: use ssh://USER@HOST, tcp://HOST:PORT or unix:///PATH",
    ),
    patterns.engine,
]
ImagePath = Annotated[
    StrictText,
    _matching(
        patterns.PATH,
        "must be an absolute path of letters, digits and ._+-, for example /opt/app/bin",
    ),
    patterns.path,
]
