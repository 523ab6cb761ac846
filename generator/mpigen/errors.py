"""One family of errors: what was wrong, where, and the next thing to do.

Anything that is not an `MpigenError` is a bug. The command line prints these once, in
`mpigen.cli.main`, and exits with the error's `exit_code`.
"""

from collections.abc import Sequence
from typing import ClassVar, NamedTuple


class MpigenError(Exception):
    """An error that the user can act on.

    `message` says what was wrong and where; `hint`, if given, says the next thing to do.
    Either may hold several lines.
    """

    exit_code: ClassVar[int] = 2

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class CheckFailed(MpigenError):
    """The command worked, and its answer is no (exit code 1)."""

    exit_code = 1


class Fault(NamedTuple):
    """One thing that is wrong in a file; line and column are counted from 1.

    `path` is the field's, as in `workers[0].replicas`, or empty.
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
    """What the user wrote is wrong (exit code 2).

    `faults` are what the message says, where each thing that it says has a place in a file.
    """

    exit_code = 2

    def __init__(self, message: str, hint: str = "", faults: Sequence[Fault] = ()) -> None:
        super().__init__(message, hint)
        self.faults = tuple(faults)


class ClusterError(MpigenError):
    """Docker or the cluster is at fault (exit code 3)."""

    exit_code = 3
