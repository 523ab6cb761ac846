"""Errors of the Docker SDK in words: it wraps the system's error in several of its own."""

import http.client
import re
from collections.abc import Iterator

SILENT = "no answer within"
"""What the words of an error begin with if somebody is there and does not answer."""
_TIMEOUT = re.compile(r"timed out.*?timeout=([\d.]+)", re.S)


def in_words(error: BaseException) -> str:
    """The reason at the bottom of an error, as the engine or the system words it."""
    if explanation := getattr(error, "explanation", None):
        return str(explanation)
    if silent := _TIMEOUT.search(str(error)):
        return f"{SILENT} {float(silent[1]):.0f} s"
    for each in _chain(error, set()):
        if isinstance(each, TimeoutError):
            return "no answer in time"
        if isinstance(each, http.client.RemoteDisconnected):
            return "it closes the connection without an answer"
        # the exceptions of requests are OSErrors too, and have no number
        if isinstance(each, OSError) and each.errno and each.strerror:
            return each.strerror
    return str(error)


def _chain(error: BaseException, seen: set[int]) -> Iterator[BaseException]:
    """An error, and all that caused it or that it holds."""
    if id(error) in seen:
        return
    seen.add(id(error))
    yield error
    for inner in (*error.args, getattr(error, "reason", None), error.__cause__, error.__context__):
        if isinstance(inner, BaseException):
            yield from _chain(inner, seen)
