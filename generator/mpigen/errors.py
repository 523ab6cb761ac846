"""One family of errors: what was wrong, where, and the next thing to do.

Anything that is not an `MpigenError` is a bug. The command line prints these once, in
`mpigen.cli.main`, and exits with the error's `exit_code`.
"""

from typing import ClassVar


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


class InputError(MpigenError):
    """What the user wrote is wrong (exit code 2)."""

    exit_code = 2


class ClusterError(MpigenError):
    """Docker or the cluster is at fault (exit code 3)."""

    exit_code = 3
