"""How a service that a stack file asks for differs from the one that Swarm has.

Swarm replaces the containers of a service whose TaskTemplate or EndpointSpec differs, and of
nothing else; with another Placement alone it keeps containers on nodes that still meet it
(swarmkit, manager/orchestrator/task.go, IsTaskDirty).
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

_Path = tuple[str, ...]

# what an engine reports of a service that was created without
_DEFAULTS: dict[_Path, object] = {
    ("TaskTemplate", "ContainerSpec", "Isolation"): "default",
    ("TaskTemplate", "Runtime"): "container",
    ("TaskTemplate", "RestartPolicy", "Condition"): "any",
    ("UpdateConfig", "FailureAction"): "pause",
    ("UpdateConfig", "Order"): "stop-first",
    ("RollbackConfig", "FailureAction"): "pause",
    ("RollbackConfig", "Order"): "stop-first",
    ("EndpointSpec", "Mode"): "vip",
}
# what the client notes for itself, beside the image
_NOTED = ("Labels", "com.docker.stack.image")
# elsewhere Swarm does not distinguish false and 0 from what is not given
_ZERO_COUNTS = frozenset({"Init", "Replicas", "StopGracePeriod"})
_NETWORKS = ("TaskTemplate", "Networks")
_PLACEMENT = ("TaskTemplate", "Placement")
_ENVIRONMENT = ("TaskTemplate", "ContainerSpec", "Env")
_WORDS = {
    "TaskTemplate.ContainerSpec.Labels.mpigen.image": "image id",
    "TaskTemplate.ContainerSpec.Image": "image",
    "TaskTemplate.ContainerSpec.Env": "environment (values not shown)",
    "TaskTemplate.ContainerSpec.Secrets": "secrets",
    "TaskTemplate.ContainerSpec.Configs": "configs",
    "TaskTemplate.ContainerSpec.Mounts": "mounts",
    "TaskTemplate.Networks": "networks",
    "Mode.Replicated.Replicas": "replicas",
}
_SHORTENED = ("TaskTemplate.ContainerSpec.", "TaskTemplate.")


@dataclass(frozen=True)
class Difference:
    """A value that a deploy changes; None if it is not given before, or after.

    `path` is its place in Docker's API. Of lists `before` and `after` have only what differs.
    """

    path: _Path
    before: Any
    after: Any

    @property
    def what(self) -> str:
        """The value's name for people."""
        dotted = ".".join(self.path)
        if dotted in _WORDS:
            return _WORDS[dotted]
        start = next((each for each in _SHORTENED if dotted.startswith(each)), "")
        return dotted.removeprefix(start)

    @property
    def replaces(self) -> bool:
        """Whether Swarm replaces containers for it."""
        return self.path[0] in ("TaskTemplate", "EndpointSpec")

    @property
    def is_placement(self) -> bool:
        """Whether it is one of the placement, for which Swarm keeps containers that meet it."""
        return self.path[:2] == _PLACEMENT


def differences(
    live: Mapping[str, Any], asked: Mapping[str, Any], networks: Mapping[str, str]
) -> list[Difference]:
    """What `asked`, a service's spec of a request, changes of `live`, the one of an answer.

    `networks` maps ids to names: requests may name a network, and answers give its id.
    """
    old, new = (dict(_leaves(spec, networks)) for spec in (live, asked))
    for path, default in _DEFAULTS.items():
        for leaves in (old, new):
            if leaves.get(path) == default:
                del leaves[path]
    found = []
    for path in dict.fromkeys((*new, *old)):
        before, after = old.get(path), new.get(path)
        if before == after or path == _NOTED:
            continue
        if path == _ENVIRONMENT or (isinstance(before or after, list) and before and after):
            before, after = _without_common(path, before or [], after or [])
        found.append(Difference(path, before, after))
    return found


def entry(value: Any) -> str:
    """A value, or an entry of a list, in few words."""
    if isinstance(value, Mapping):
        for key in ("SecretName", "ConfigName"):
            if key in value:
                return str(value[key])
        if set(value) <= {"Target", "Aliases"}:
            return str(value["Target"])
    return value if isinstance(value, str) else json.dumps(value)


def _without_common(
    path: _Path, before: Sequence[Any], after: Sequence[Any]
) -> tuple[list[Any], list[Any]]:
    old = [each for each in before if each not in after]
    new = [each for each in after if each not in before]
    if path == _ENVIRONMENT:  # values may be passwords
        old, new = ([str(each).partition("=")[0] for each in side] for side in (old, new))
    elif not old and not new:  # only their order
        return list(before), list(after)
    return old, new


def _leaves(
    value: Any, networks: Mapping[str, str], path: _Path = ()
) -> Iterator[tuple[_Path, Any]]:
    """Each value that is given, with its path; of what is empty nothing is."""
    if isinstance(value, Mapping):
        for key, each in value.items():
            yield from _leaves(each, networks, (*path, key))
    elif path == _NETWORKS and value:
        named = ({**each, "Target": networks.get(each["Target"], each["Target"])} for each in value)
        yield path, [_given(each) for each in named]
    elif isinstance(value, list) and value:
        yield path, [_given(each) for each in value]
    elif value or (value in (0, False) and path[-1] in _ZERO_COUNTS):
        yield path, value


def _given(value: Any) -> Any:
    """A value without what is empty."""
    if isinstance(value, Mapping):
        return {key: given for key, each in value.items() if (given := _given(each))}
    return value
