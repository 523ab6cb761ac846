"""Push images to a registry; those of several platforms under one name."""

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from ipaddress import ip_address, ip_network
from itertools import groupby
from typing import Any

from mpigen.errors import ClusterError
from mpigen.image.build import Built
from mpigen.image.select import digest_of
from mpigen.notation import image_names
from mpigen.swarm.engine import Engine, blame
from mpigen.swarm.processes import Say

_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


def push(built: Sequence[Built], say: Say) -> list[str]:
    """Push the images by content and by the user's tag; return each as REPOSITORY@sha256:...

    Images of several platforms get one name with a manifest list: a node pulls the one for its
    processor. Raises ClusterError if the registry refuses.
    """
    return [
        _push_list(list(each), say)
        for _, each in groupby(sorted(built, key=_variant), key=_variant)
    ]


def _variant(built: Built) -> str:
    return built.variant


def _push_list(built: Sequence[Built], say: Say) -> str:
    """Push the images of one variant, one for each platform."""
    first = built[0]
    names = (first.reference, first.image)
    if len(built) == 1:
        for name in names:
            _push(first.engine, name, say)
        return _digest(first.engine, first.reference)
    for each in built:
        _push(each.engine, each.stored, say)
    parts = [_digest(each.engine, each.stored) for each in built]
    # the client talks to the registry here, not the engine
    with blame("asking the engine for its registries"):
        config = first.engine.client.info().get("RegistryConfig") or {}
    plain = ["--insecure"] if is_insecure(config, image_names.registry(first.image)) else []
    for name in names:
        say(f"docker manifest push {name}")
        with _login(name):
            # the client may have the list of a push that has failed, and would add to it
            with suppress(ClusterError):
                first.engine.docker("manifest", "rm", name)
            first.engine.docker("manifest", "create", *plain, name, *parts)
            printed = first.engine.docker("manifest", "push", *plain, "--purge", name)
    found = _DIGEST.findall(printed)
    if not found:
        raise ClusterError(f"{first.image} was pushed, but docker did not print its digest")
    return f"{image_names.repository(first.image)}@{found[-1]}"


def _push(engine: Engine, name: str, say: Say) -> None:
    say(f"docker push {name}")
    with _login(name):
        engine.docker("push", name)


@contextmanager
def _login(name: str) -> Iterator[None]:
    """Add to an error how to log in to the registry of `name`."""
    try:
        yield
    except ClusterError as error:
        host = image_names.registry(name)
        login = f"Log in, if it requires that: docker login {host}".rstrip()
        raise ClusterError(error.message, login) from error


def _digest(engine: Engine, name: str) -> str:
    with blame(f"looking for {name}"):
        digest = digest_of(engine.client.images.get(name), name)
    if digest is None:
        raise ClusterError(f"{name} was pushed, but the engine does not know its digest")
    return digest


def is_insecure(config: Mapping[str, Any], host: str) -> bool:
    """Whether an engine with this RegistryConfig uses the registry at `host` without TLS."""
    index = (config.get("IndexConfigs") or {}).get(host)
    if index is not None:
        return not index.get("Secure", True)
    with suppress(ValueError):  # a name
        address = ip_address(host.partition(":")[0])
        nets = config.get("InsecureRegistryCIDRs") or []
        return any(address in ip_network(net) for net in nets)
    return False
