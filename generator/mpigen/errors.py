"""The family of errors; each has the fault, its place and the next step.

An exception that is not an `MpigenError` is a bug. `mpigen.cli.main` alone prints these errors,
and exits with the error's `exit_code`.
"""

from collections.abc import Sequence
from typing import ClassVar, NamedTuple


class MpigenError(Exception):
    """An error that the user can act on.

    `message` has the fault and its place; `hint`, if given, has the next step. Either may have
    several lines.
    """

    exit_code: ClassVar[int] = 2

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class CheckFailed(MpigenError):
    """The command ran, and its check failed (exit code 1)."""

    exit_code = 1


class Fault(NamedTuple):
    """One fault in a file; line and column are counted from 1.

    `path` is the field's, such as `workers[0].replicas`, or empty.
    """

    file: str
    line: int
    column: int
    path: str
    message: str

    def __str__(self) -> str:
        field = f"{self.path}: " if self.path else ""
        return f"{self.file}:{self.line}:{self.column}: {field}{self.message}"


class InputError(MpigenError):
    """The user's input is wrong (exit code 2).

    `faults` has the faults that the message lists, if each has a place in a file.
    """

    exit_code = 2

    def __init__(self, message: str, hint: str = "", faults: Sequence[Fault] = ()) -> None:
        super().__init__(message, hint)
        self.faults = tuple(faults)


class ClusterError(MpigenError):
    """Docker or the cluster failed (exit code 3)."""

    exit_code = 3
