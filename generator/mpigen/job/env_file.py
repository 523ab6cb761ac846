"""Files of environment variables, in the format of `docker run --env-file`."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from mpigen.errors import Fault, InputError
from mpigen.untrusted.quoting import shown
from mpigen.untrusted.reading import MEBIBYTE, read_bytes

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def read(paths: Sequence[Path], environment: Mapping[str, str]) -> tuple[str, ...]:
    """The variables of these files as NAME=VALUE.

    A line is NAME=VALUE, without quotes, or NAME alone: then the value is that of `environment`,
    if it has one. Empty lines and lines that begin with # count for nothing. Raises InputError with
    every problem.
    """
    found: list[str] = []
    faults: list[Fault] = []
    for path in paths:
        for number, line in enumerate(_lines(path), 1):
            text = line.lstrip(" \t")
            if not text or text.startswith("#"):
                continue
            name, equals, _ = text.partition("=")
            if not _NAME.fullmatch(name):
                column = len(line) - len(text) + 1
                wrong = f"{shown(name)} is not a name of a variable: write NAME=VALUE"
                faults.append(Fault(str(path), number, column, "", wrong))
            elif "\0" in text:
                faults.append(Fault(str(path), number, 1, name, "has a NUL character"))
            elif equals:
                found.append(text)
            elif name in environment:
                found.append(f"{name}={environment[name]}")
    if faults:
        raise InputError("\n".join(map(str, faults)), "Nothing was started.", faults)
    return tuple(found)


def _lines(path: Path) -> list[str]:
    try:
        text = read_bytes(path, MEBIBYTE).decode("utf-8-sig")
    except (FileNotFoundError, NotADirectoryError):
        raise InputError(f"--env-file {path}: no such file") from None
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise InputError(
            f"{path}:{line}:1: not UTF-8 text: save the file in that encoding"
        ) from None
    return [line.removesuffix("\r") for line in text.split("\n")]
