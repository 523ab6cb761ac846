"""Known faults of Docker's engines that no lab can show: of pairs of releases, and of Docker 29."""

import re
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from mpigen.swarm.nodes import Node

# moby/moby#51798, mended in 29.2.1
_DEAF = ((29, 0), (29, 2, 1))
# moby/moby#53141; 29.0 to 29.7 in the notes of their releases
_FORGETFUL = ((29, 0), (29, 8))


class Fault(NamedTuple):
    """A known fault: what happens, and what to do, both without a full stop."""

    what: str
    todo: str


def is_encrypted(options: Mapping[str, Any]) -> bool:
    """Whether a network's driver options encrypt it, which the option does even without a value."""
    return bool(options.get("encrypted", "false") != "false")


def parse_version(version: str) -> tuple[int, ...]:
    """The numbers at the start of a version, (28, 5, 2) for 28.5.2+dfsg1; () if there are none."""
    numbers = re.match(r"\d+(\.\d+)*", version)
    return tuple(map(int, numbers[0].split("."))) if numbers else ()


def split_encryption(nodes: Iterable[Node]) -> Fault | None:
    """Why an encrypted network carries nothing between some of these nodes; None if it does."""
    known = [(node.name, parse_version(node.engine)) for node in nodes if node.engine]
    deaf = [name for name, version in known if _within(version, _DEAF)]
    older = [name for name, version in known if version and version < _DEAF[0]]
    if not deaf or not older:
        return None
    return Fault(
        f"an encrypted network carries no traffic between Docker 29.0 to 29.2.0 "
        f"({', '.join(deaf)}) and older engines ({', '.join(older)}), moby/moby#51798",
        "upgrade the former to 29.2.1, or unset network.encrypted",
    )


def forgets_names(nodes: Iterable[Node]) -> bool:
    """Whether names of services may stay gone on one of these nodes after it was cut off."""
    return any(_within(parse_version(node.engine), _FORGETFUL) for node in nodes)


def _within(version: tuple[int, ...], release: tuple[tuple[int, ...], tuple[int, ...]]) -> bool:
    return release[0] <= version < release[1]
