"""The built-in templates, read and compiled once per process for all sites that it renders.

They are cached by their text; a site's own templates live only as long as its `Templates`. The
compiled code is also stored on disk, in mpigen's `__pycache__` and under the same rules as there.
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
from mpigen.render.files import BUILTIN
from mpigen.render.overrides import Block, find_blocks

_EMPTY_BLOCK = re.compile(r"^\{% block \w+ %\}\n\{% endblock %\}\n", re.MULTILINE)


@cache
def compiler() -> jinja2.Environment:
    """The environment that parses and compiles all templates, whatever their quoting."""
    return sandbox.make(quote.text)


@cache
def blocks(text: str) -> list[Block]:
    """The blocks of a built-in template, given its text."""
    return find_blocks(compiler(), text)


@cache
def code(text: str, file: str) -> CodeType:
    """The compiled code of a built-in template; `file` is its name in tracebacks."""
    cache = _code_cache()
    if cache is None:
        return compiler().compile(text, file, file)
    bucket = cache.get_bucket(compiler(), file, file, text)
    if bucket.code is None:
        bucket.code = compiler().compile(text, file, file)
        with suppress(OSError):  # writing the artifacts reports a full disk
            cache.set_bucket(bucket)
    return bucket.code


@cache
def _code_cache() -> jinja2.FileSystemBytecodeCache | None:
    """The cache of compiled templates in mpigen's __pycache__; compiling is 1/5 of a render.

    None where Python writes no bytecode either. Jinja compares the text, its own version and
    Python's; the file names contain a hash of sandbox.py, which configures the compiler.
    """
    folder = Path(__file__).parent / "__pycache__"
    if sys.dont_write_bytecode or not os.access(folder, os.W_OK):
        return None
    setup = sha256(Path(sandbox.__file__).read_bytes()).hexdigest()[:8]
    return jinja2.FileSystemBytecodeCache(str(folder), f"template-{setup}-%s.cache")


@cache
def shared(folder: Path, quoting: quote.Quote) -> jinja2.Environment:
    """The environment that renders the built-in templates which a site does not override."""

    def compiled(name: str) -> CodeType | None:
        text = read_builtin(folder).get(name)
        # No template can fill empty blocks here, and compiling them is 1/30 of a render. A comment
        # of the same length keeps the line numbers.
        return None if text is None else code(_EMPTY_BLOCK.sub("{#\n#}\n", text), BUILTIN + name)

    return sandbox.make(quoting, compiled)


@cache
def read_builtin(folder: Path) -> dict[str, str]:
    """The text of each built-in file in `folder`, by its name."""
    return files.read(folder)
