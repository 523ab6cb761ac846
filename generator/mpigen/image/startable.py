"""Find the nodes that cannot start an image, by starting it there."""

from collections.abc import Sequence

from mpigen.artifacts.folder import Artifacts
from mpigen.image import content, select
from mpigen.notation import image_names
from mpigen.swarm import nodes, probe
from mpigen.swarm.engine import Engine, blame
from mpigen.swarm.placement import allows, constraint_sets, misfit
from mpigen.swarm.probe import Probe
from mpigen.swarm.processes import Say, ignore

_START_SECONDS = 60.0
_PULL_SECONDS = 600.0
_UNLIKE = "non-zero exit (64)"
OTHER = "another image of that name"
"""Why a node cannot start the image of this engine, if it has another one."""


def lacking(
    engine: Engine,
    reference: str,
    constraints: Sequence[str] = (),
    say: Say = ignore,
    platforms: Sequence[str] = (),
) -> dict[str, str]:
    """The nodes that cannot start an image, host name to reason, without their endpoints.

    Starts a container of it on each ready node that meets `constraints`, which pulls it from a
    registry if need be. Where the name does not say what is in the image, it must be what is in
    this engine's. A node that has not done so in time is slow, and says nothing of whether
    it can: it is not among them, and `say` gets a line. The image is for `platforms`, or for that
    of this engine's: another processor is a part of the reason. Raises ClusterError if the engine
    is no manager, or silent.
    """
    engine.need_manager()
    with blame("asking for the nodes"):
        allowed = [node for node in nodes.listed(engine.client) if allows(node, constraints)]
    names = {node.id: node.name for node in allowed}
    fits = platforms or _platform_here(engine, reference)
    unfit = {node.id: misfit(node, fits) for node in allowed}
    want = _fingerprint(engine, reference)
    environment = {"WANT": want, "FINGERPRINT": probe.FINGERPRINT}
    start = Probe("start", "host", reference, environment, constraints=constraints, output=False)
    # pulling takes longer than starting
    seconds = _PULL_SECONDS if "@" in reference else _START_SECONDS
    (answers,) = probe.run(engine, [start], seconds)
    for node, answer in answers.items():
        if answer.late:
            what = f"whether it can start {reference} is not known yet ({answer.error})"
            say(f"{names.get(node, node)} is slow: {what}")
    return {
        names.get(node, node): _reason(answer.error, unfit.get(node, ""))
        for node, answer in answers.items()
        if answer.error and not answer.late
    }


def _reason(error: str, misfit: str) -> str:
    if _UNLIKE in error:
        return OTHER
    return f"{misfit}: {error}" if misfit else error


def _platform_here(engine: Engine, reference: str) -> tuple[str, ...]:
    """The platform of an engine's image of that name; nothing if it has none."""
    try:
        image = select.get(engine, reference)
    except select.Missing:
        return ()
    return (select.platform_of(image),)


def _fingerprint(engine: Engine, reference: str) -> str:
    """What is in this engine's image of that name; empty if it has none, or the name says it."""
    if "@" in reference or image_names.tag(reference).startswith(content.PREFIX):
        return ""
    try:
        select.get(engine, reference)
    except select.Missing:
        return ""
    run = ("run", "--rm", "--network", "none", "--cap-drop", "ALL", "--entrypoint", "/bin/sh")
    return engine.docker(*run, reference, "-c", probe.FINGERPRINT).strip()


def lacking_for(
    engine: Engine, reference: str, artifacts: Artifacts, say: Say, variant: str = ""
) -> dict[str, str]:
    """The same as `lacking` for the nodes that may run the image, or that variant, sorted."""
    found: dict[str, str] = {}
    for constraints in constraint_sets(artifacts, variant):
        found |= lacking(engine, reference, constraints, say, artifacts.platforms)
    return dict(sorted(found.items()))
