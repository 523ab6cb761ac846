"""What a check across fields of mpigen.yaml finds."""

from typing import NamedTuple

from mpigen.config.document import KeyPath


class Conflict(NamedTuple):
    """Fields that cannot be combined.

    The first of `paths` names the problem; the first one in the file gives the line and column.
    """

    paths: tuple[KeyPath, ...]
    message: str
