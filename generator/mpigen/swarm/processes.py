"""Run other programs, and work in parallel."""

import subprocess
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import IO, TypeVar

from mpigen.errors import ClusterError

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")

Say = Callable[[str], None]
"""A progress callback: takes one line, without a newline, from any thread."""


def ignore(line: str) -> None:
    """Take a line of progress that nobody wants to see."""


def run(
    command: Sequence[str], what: str, stdout: IO[bytes] | None = None, own_session: bool = False
) -> str:
    """Run a command and return its standard output ("" if that goes to the file `stdout`).

    With `own_session` the terminal's Ctrl-C cannot stop it half-way.
    Raises ClusterError, with the command's last lines, if it fails or does not exist.
    """
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL if own_session else None,
            stdout=stdout or subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=own_session,
            check=False,
        )
    except FileNotFoundError:
        raise ClusterError(f"{what}: there is no command {command[0]} here") from None
    if done.returncode != 0:
        raise ClusterError(
            f"{what} failed with exit code {done.returncode}\n{tail(done.stderr.decode())}"
        )
    return (done.stdout or b"").decode()


def tail(text: str, lines: int = 10) -> str:
    """The last lines of a text, indented to be printed below a message."""
    return "\n".join(f"  {line}" for line in text.strip().splitlines()[-lines:])


def in_parallel(function: Callable[[_Item], _Result], items: Collection[_Item]) -> list[_Result]:
    """Call a function with all items in parallel, one thread each.

    An interrupt takes effect only after all calls have returned: everything that an engine was
    asked to create then exists, and the clean-up that follows misses nothing.
    """
    with ThreadPoolExecutor(max(1, len(items))) as pool:
        return list(pool.map(function, items))
