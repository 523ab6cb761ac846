"""What is read once a process, and compiled once, however many sites are rendered.

That is mpigen's own templates, by their text: a site's differ, and are forgotten with it. Their
code is kept where Python keeps mpigen's own, and under the same rules.
"""

import os
import re
import sys
from contextlib import suppress
from functools import cache
from hashlib import sha256
from pathlib import Path
from types import CodeType

import jinja2

from mpigen.render import files, quote, sandbox
from mpigen.render.overrides import Block, find

BUILTIN = "builtin/"

_EMPTY_BLOCK = re.compile(r"^\{% block \w+ %\}\n\{% endblock %\}\n", re.MULTILINE)


@cache
def compiler() -> jinja2.Environment:
    """What reads and compiles templates of every kind."""
    return sandbox.make(quote.text)


@cache
def blocks(text: str) -> list[Block]:
    """The blocks of a built-in template."""
    return find(compiler(), text)


@cache
def code(text: str, file: str) -> CodeType:
    """A built-in template as code; `file` is what errors call it."""
    kept = _kept()
    if kept is None:
        return compiler().compile(text, file, file)
    bucket = kept.get_bucket(compiler(), file, file, text)
    if bucket.code is None:
        bucket.code = compiler().compile(text, file, file)
        with suppress(OSError):  # a full disk is for the artifacts to complain of
            kept.set_bucket(bucket)
    return bucket.code


@cache
def _kept() -> jinja2.FileSystemBytecodeCache | None:
    """The code of templates in mpigen's __pycache__: to compile them is a fifth of a render.

    None where Python writes no bytecode either. Jinja compares the text, its own version and
    Python's; how the compiler is set up is in the files' names.
    """
    folder = Path(__file__).parent / "__pycache__"
    if sys.dont_write_bytecode or not os.access(folder, os.W_OK):
        return None
    setup = sha256(Path(sandbox.__file__).read_bytes()).hexdigest()[:8]
    return jinja2.FileSystemBytecodeCache(str(folder), f"template-{setup}-%s.cache")


@cache
def shared(folder: Path, quoting: quote.Quote) -> jinja2.Environment:
    """What renders the built-in templates that a site leaves as they are."""

    def compiled(name: str) -> CodeType | None:
        text = read_builtin(folder).get(name)
        # nothing can fill them, and compiling them is a thirtieth of a render; lines stay
        return None if text is None else code(_EMPTY_BLOCK.sub("{#\n#}\n", text), BUILTIN + name)

    return sandbox.make(quoting, compiled)


@cache
def read_builtin(folder: Path) -> dict[str, str]:
    """What is in mpigen's own templates/, by name."""
    return files.read(folder)
