"""Which docker context a command uses, and commands that stay with it.

--context names it, or MPIGEN_CONTEXT, or Docker's own variables, or the file .mpigen-context
beside the rendered folder, or `docker context use`: the first of them counts.
"""

import os
import re
import shlex
from pathlib import Path

from mpigen.errors import InputError
from mpigen.untrusted.quoting import shown
from mpigen.untrusted.reading import read_bytes

VARIABLE = "MPIGEN_CONTEXT"
FILE = ".mpigen-context"
"""The user's own file with the name of a context, which init's .gitignore ignores."""

_MOST_BYTES = 1024
# docker/cli, cli/context/store: restrictedNamePattern
_NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.+-]+")


def choose(context: str | None, output: Path) -> str | None:
    """Return the docker context for the rendered folder `output`; None is Docker's own choice.

    `context` is that of the command line or of MPIGEN_CONTEXT, if any. Where the file names it, a
    note says so. Raises InputError if the file names none.
    """
    if context or os.environ.get("DOCKER_HOST") or os.environ.get("DOCKER_CONTEXT"):
        return context or None
    file = (output.parent if output.name not in ("", "..") else output / "..") / FILE
    try:
        name = read_bytes(file, _MOST_BYTES, file.parent).decode("utf-8", "replace").strip()
    except (FileNotFoundError, NotADirectoryError):
        return None
    if not _NAME.fullmatch(name):
        raise InputError(
            f"{file}: {shown(name)} is not a docker context",
            "Write only its name, for example mpigen-lab.",
        )
    from mpigen.cli import show

    show.note(f"docker context {name}, from {file}")
    return name


def again(
    verb: str, output: Path, stack: str = "", context: str | None = None, after: str = ""
) -> str:
    """Return the command `mpigen VERB` for the same folder, stack and context; `after` ends it.

    The next command gets the context by itself, unless the command line named it.
    """
    words = ["-o", str(output)] if output != Path("output") else []
    words += ["--stack", stack] if stack else []
    words += ["--context", context] if context and context != os.environ.get(VARIABLE) else []
    return " ".join(["mpigen", verb, *([shlex.join(words)] if words else []), *after.split()])
