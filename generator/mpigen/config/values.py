"""Validators of single values: they reject what Docker, Debian or MPI would refuse.

Each takes a value as YAML gives it and returns it, converted where needed, or raises ValueError
with the fault and the correct form.
"""

import math
import re
import unicodedata
from ipaddress import IPv4Network

from mpigen.config import limits, patterns
from mpigen.mpi import IMPLEMENTATIONS
from mpigen.untrusted.quoting import clip, foreign, shown

# moby, daemon/daemon_unix.go: "Range of CPUs is from 0.01 to N"
CPUS_MINIMUM = 0.01
# moby/moby#39204: the first release that resolves the host names of tasks
OLDEST_ENGINE = (20, 10)
# newer releases meet it too: nothing that they brought is rendered
NEWEST_ENGINE = 29


def label(text: str) -> str:
    if not re.fullmatch(patterns.LABEL, text):
        near = to_label(text)
        raise ValueError(
            f"{shown(text)} is not a DNS label{foreign(text)}: "
            "use a-z, 0-9 and -, with a letter or digit at both ends"
            + (f", for example {clip(near)}" if near else "")
        )
    if len(text) > patterns.LABEL_LIMIT:
        most = f"at most {patterns.LABEL_LIMIT} characters"
        raise ValueError(f"a DNS label has {most}, but this has {len(text)}")
    return text


def to_label(text: str) -> str:
    """Turn `text` into a DNS label; empty if nothing is left.

    Accents are removed, and other characters become `-`.
    """
    decomposed = unicodedata.normalize("NFKD", text.casefold())
    plain = "".join(each for each in decomposed if not unicodedata.combining(each))
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-")


def one_line(text: str) -> str:
    if not text.strip():
        raise ValueError("must not be empty")
    if not all(character.isprintable() for character in text):
        raise ValueError("must be one line without control characters")
    return text


def command(text: str) -> str:
    if not text.strip():
        raise ValueError("must not be empty")
    for character in text:
        if not character.isprintable() and character not in "\n\t":
            raise ValueError(f"contains the control character {character!a}")
    return text


def image(text: str) -> str:
    if not re.fullmatch(patterns.IMAGE, text):
        raise ValueError(
            f"{shown(text)} is not an image reference: "
            "write [registry/]name[:tag], the name in lower case"
        )
    return text


def cpus(value: object) -> object:
    """Return CPUs as text, such as `2` or `1.5`; Docker accepts at most 9 decimal places."""
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        raise ValueError("must be a number of CPUs, for example 2 or 1.5")
    text = shown(value) if isinstance(value, int) else str(value)
    if not re.fullmatch(patterns.CPUS, text):
        raise ValueError(
            f"{shown(text)} is not a number of CPUs that Docker accepts: "
            "write 2 or 1.5, with at most 9 decimals"
        )
    if float(text) < CPUS_MINIMUM:
        raise ValueError(f"{clip(text)} is less than {CPUS_MINIMUM} CPUs, the minimum of Docker")
    if float(text) > limits.CPUS:
        raise ValueError(f"{clip(text)} is more than {limits.CPUS} CPUs, the maximum of Linux")
    return text


def slots(value: object) -> object:
    """Return None for `auto`; the annotated type rejects other values that are no rank count."""
    if isinstance(value, str) and not value.isdecimal() and value != "auto":
        raise ValueError(f"must be auto or a whole number, not the text {shown(value)}")
    return None if value == "auto" else value


def subnet(value: object) -> object:
    if not isinstance(value, str):
        raise ValueError("must be a subnet, for example 10.77.0.0/24")
    try:
        network = IPv4Network(value, strict=False)
    except ValueError as error:
        raise ValueError(
            f"{shown(value)} is not an IPv4 subnet: write one like 10.77.0.0/24"
        ) from error
    if "/" not in value:
        raise ValueError(f"{shown(value)} has no prefix length: write it like {clip(value)}/24")
    address = value.partition("/")[0]
    if str(network.network_address) != address:
        raise ValueError(
            f"{clip(value)} is an address in a network, not the network: write {network}"
        )
    special = network.is_loopback or network.is_multicast or network.is_link_local
    if special or network.is_reserved or address.startswith("0."):
        raise ValueError(f"{clip(value)} is reserved: use a private one, for example 10.77.0.0/24")
    if not 8 <= network.prefixlen <= 29:
        raise ValueError(
            f"/{network.prefixlen} does not work for an overlay: use a prefix from /8 to /29"
        )
    return network


def plain_mirror(value: object) -> object:
    if isinstance(value, str) and value.lower().startswith("https://"):
        raise ValueError(
            f"{value!r} needs certificates, which a base image does not have before its first "
            "package: write http://, since apt verifies signatures in any case"
        )
    if isinstance(value, str) and value.endswith(("/debian", "/ubuntu")):
        shorter = clip(value.rpartition("/")[0])
        raise ValueError(f"leave out the last part, which apt adds itself: write {shorter}")
    return value


def constraint(text: str) -> str:
    if not re.fullmatch(patterns.CONSTRAINT, text):
        raise ValueError(
            f"{shown(text)} is not a placement constraint: "
            "write KEY==VALUE or KEY!=VALUE, where KEY is "
            "node.labels.NAME, engine.labels.NAME, or node. and one of "
            "id, hostname, ip, role, platform.os, platform.arch"
        )
    return text


def folder(text: str) -> str:
    if (found := sources(text)) == ".":
        raise ValueError(_folder_below(text))
    return found


def sources(text: str) -> str:
    """The folder of the program's sources: one below mpigen.yaml's, or `.`, that folder itself."""
    one_line(text)
    parts = text.split("/")
    if text.startswith(("/", "-", "~")) or ".." in parts:
        raise ValueError(_folder_below(text))
    return "/".join(part for part in parts if part not in ("", ".")) or "."


def _folder_below(text: str) -> str:
    return f"{shown(text)} must be a folder below this file's, for example app or src/solver"


def env_value(text: str) -> str:
    return one_line(text) if text else text


def param(value: object) -> object:
    if isinstance(value, bool):
        return "1" if value else "0"
    if isinstance(value, (int, float)):
        if not _is_number(value):
            raise ValueError(f"{shown(value)} is not a number that MPI accepts")
        return str(value)
    if not isinstance(value, str):
        raise ValueError("must be text or a number")
    if len(value) > limits.LINE:
        raise ValueError(f"has {len(value):,} characters: the maximum is {limits.LINE:,}")
    one_line(value)
    if value != value.strip() or "#" in value or '"' in value:
        raise ValueError(f"{shown(value)} cannot be an MPI parameter: no quotes, # or outer spaces")
    return value


class Misplaced(ValueError):
    """A fault in a mapping of free keys; `path` leads from the mapping to the value."""

    def __init__(self, path: tuple[str | int, ...], message: str) -> None:
        super().__init__(message)
        self.path = path


def plain(value: object, path: tuple[str | int, ...] = ()) -> object:
    """Accept only values that JSON can express, in lines of text and numbers that Docker reads."""
    if isinstance(value, dict):
        for key, item in value.items():
            if not isinstance(key, str):
                raise Misplaced(path, f"the key {shown(key)} must be text: put it in quotes")
            _plain_text(key, (*path, key))
            plain(item, (*path, key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            plain(item, (*path, index))
    elif isinstance(value, str):
        _plain_text(value, path)
    elif isinstance(value, (bool, int, float)):
        if not _is_number(value):
            raise Misplaced(path, f"{shown(value)} is not a number that Docker accepts")
    elif value is not None:
        kind = type(value).__name__
        raise Misplaced(path, f"{clip(str(value))} is read as a {kind}: put it in quotes")
    return value


def _plain_text(text: str, path: tuple[str | int, ...]) -> None:
    if len(text) > limits.LINE:
        raise Misplaced(path, f"has {len(text):,} characters: the maximum is {limits.LINE:,}")
    if not text.isprintable():
        raise Misplaced(path, f"{shown(text)} must be one line without control characters")


def _is_number(value: float) -> bool:
    """Whether the number is finite, and whole numbers fit into 64 bits."""
    return math.isfinite(value) if isinstance(value, float) else abs(value) < limits.NUMBER


def mpi_name(value: object) -> object:
    if not isinstance(value, str) or value not in IMPLEMENTATIONS:
        *some, last = map(repr, IMPLEMENTATIONS)
        raise ValueError(f"{shown(value)} is not supported: it must be {', '.join(some)} or {last}")
    return value


def engine_version(value: object) -> str:
    if not isinstance(value, str) or not re.fullmatch(patterns.ENGINE_VERSION, value):
        given = clip(value) if isinstance(value, str) else f"{shown(value)}, which is not text,"
        raise ValueError(
            f"{given} is not a version of Docker: write it in quotes, for example '25.0'"
        )
    numbers = tuple(map(int, value.split(".")))
    if numbers < OLDEST_ENGINE:
        raise ValueError(f"{value} is too old: 20.10 is the first with host names that resolve")
    if numbers[0] > NEWEST_ENGINE:
        raise ValueError(
            f"{value} is newer than all that mpigen knows: "
            f"write '{NEWEST_ENGINE}.0', which newer ones meet too"
        )
    return value if len(numbers) > 1 else f"{value}.0"
