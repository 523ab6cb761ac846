"""`mpigen build`: build the images by content, and bring them to the nodes or a registry."""

import shlex
from contextlib import suppress
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from mpigen.cli import complete, where
from mpigen.cli.options import CONTEXT, OUTPUT
from mpigen.cli.progress import building

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mpigen.artifacts.folder import Artifacts
    from mpigen.image.build import Built
    from mpigen.image.distribute import Remote, Sent
    from mpigen.lab.lab import Lab
    from mpigen.swarm.engine import Engine
    from mpigen.swarm.processes import Say


def build(
    output: Path = OUTPUT,
    context: str | None = CONTEXT,
    site: Path | None = typer.Option(
        None,
        help="Folder that holds the sources (default: SITE, or the parent of the rendered folder).",
    ),
    lab: str | None = typer.Option(
        None,
        help="Load the image into this lab (default: the lab of the engine, or the only one).",
        autocompletion=complete.labs,
    ),
    distribute: bool = typer.Option(
        True, help="Copy the image to the nodes or push it, as image.distribute says."
    ),
) -> None:
    """Build the image, unless its content is unchanged, and bring it to every node.

    The image also gets a tag for its content, NAME:sha-..., which mpigen deploy uses: a changed
    image is always rolled out, and an unchanged one never.
    """
    from mpigen.artifacts import folder
    from mpigen.image import build as builds
    from mpigen.image import content, platforms, registry
    from mpigen.swarm import engine as engines

    rendered = folder.read(output)
    sources = site.resolve() if site else content.site_folder(rendered)
    chosen = where.choose(context, output)
    with building() as (say, sent, see):
        engine = engines.reach(chosen)
        loads = distribute and rendered.distribute == "load"
        here = _lab(engine, rendered, lab) if loads else None
        stands_there = bool(here) and _is_of(engine, here)
        if here and stands_there:
            engine = _beneath(here)
        targets = _targets(rendered, here)
        builders = platforms.builders(rendered, engine, _engines(targets, rendered))
        built = builds.build(builders, rendered, sources, say, see)
        found = [_describe(each) for each in built]
        if not distribute:
            found += [f"the image is only on the engine at {engine.where.url}"]
        elif rendered.distribute == "registry":
            found += [f"pushed: {each}" for each in registry.push(built, say)]
            found += [_next(output, context)]
        else:
            words = _next(output, context, None if stands_there else here)
            manager, notes = _load(engine, rendered, built, targets, say, sent)
            found += notes
            if manager:
                is_near = here or manager.where.url == engine.where.url
                found.append(words if is_near else _next_on(manager.where.url, targets, output))
    typer.echo("\n".join(found))


def _next(output: Path, context: str | None, here: "Lab | None" = None) -> str:
    """The next command: on the lab `here`, or where the user is already."""
    return f"next: {where.again('deploy', output, context=here.context if here else context)}"


def _next_on(url: str, targets: "Sequence[Remote]", output: Path) -> str:
    """The next command on a manager at `url`, which is not the engine of the build."""
    from mpigen.swarm import engine as engines

    if context := engines.context_of(url):
        return f"next: {where.again('deploy', output, context=context)}"
    name = next(each.name for each in targets if each.where.url == url)
    deploy = where.again("deploy", output, context=name)
    create = shlex.join(["docker", "context", "create", name, "--docker", f"host={url}"])
    return f"next: {create} && {deploy}"


def _alone(engine: "Engine", built: "Sequence[Built]") -> list[str]:
    from mpigen.lab import lab as labs

    alone = f"the image is only on the engine at {engine.where.url}"
    by_hand = (
        "name the nodes' engines as image.endpoints in mpigen.yaml, render and build; "
        f"or for each node:\n  {_by_hand(built)}"
    )
    if engine.is_member:
        return [alone, f"next: {by_hand}"]
    if up := labs.ready():
        ways = " or ".join(f"--lab {each.name}" for each in up)
        return [f"{alone}, and several labs are up", f"next: mpigen build {ways}"]
    return [
        f"{alone}, which is not part of a Swarm",
        "next: mpigen lab up && mpigen build, for a Swarm on this machine",
        f"for servers of your own: {by_hand}",
    ]


def _describe(built: "Built") -> str:
    state = "built" if built.new else "unchanged"
    platform = f" for {built.platform}" if built.platform else ""
    return f"{state}: {built.image} is {built.reference}{platform}"


def _load(
    engine: "Engine",
    rendered: "Artifacts",
    built: "Sequence[Built]",
    targets: "Sequence[Remote]",
    say: "Say",
    sent: "Sent",
) -> "tuple[Engine | None, list[str]]":
    """Copy the images to `targets`; return the Swarm's manager, or None and what to do instead."""
    from mpigen.image import distribute

    groups, faults = distribute.by_platform(targets, rendered.platforms)
    for each in built:
        names = (each.reference, each.image)
        nodes = groups[each.platform]
        distribute.copy(each.engine.client, nodes, each.stored, say, names, sent)
    distribute.raise_all(faults)
    manager = _manager(engine, targets)
    if manager:
        _refuse_lacking(manager, rendered, built, say)
        return manager, []
    if not targets:
        return None, _alone(engine, built)
    return None, [
        "none of the known engines is a manager, so other nodes are not known",
        "next: mpigen deploy --context MANAGER",
    ]


def _lab(engine: "Engine", rendered: "Artifacts", name: str | None) -> "Lab | None":
    """The lab that gets the image: `name`, the engine's own, or the only one that is up.

    The last of these only if the engine is not part of a Swarm, and mpigen.yaml names no endpoints.
    """
    from mpigen.lab import lab as labs

    if name:
        return labs.get(name)
    if rendered.endpoints:
        return None
    if own := labs.with_engine(engine.where.url):
        return own
    up = [] if engine.is_member else labs.ready()
    return up[0] if len(up) == 1 else None


def _is_of(engine: "Engine", here: "Lab | None") -> bool:
    """Whether it is the engine of a node of that lab."""
    from mpigen.lab import lab as labs

    return labs.with_engine(engine.where.url) == here


def _beneath(here: "Lab") -> "Engine":
    """The machine's own engine, which keeps base images and layers when a lab is gone."""
    from mpigen.lab import engine as machines
    from mpigen.swarm.engine import Engine, client_of

    below = machines.beneath(here.name)
    return Engine(client_of(below), below)


def _targets(rendered: "Artifacts", here: "Lab | None") -> "list[Remote]":
    from mpigen.image import distribute

    if here is None:
        return distribute.remotes(rendered.endpoints, "image.endpoints of")
    nodes = {node.name: node.docker_host for node in here.nodes}
    return distribute.remotes(nodes, f"the lab {here.name}:")


def _engines(targets: "Sequence[Remote]", rendered: "Artifacts") -> "list[Engine]":
    """The engines of `targets`, where one of them may build for another platform."""
    from mpigen.errors import ClusterError
    from mpigen.swarm.engine import Engine

    found = []
    for target in targets if rendered.platforms else ():
        with suppress(ClusterError):  # copying the image reports it
            found.append(Engine(target.connect(), target.where))
    return found


def _manager(engine: "Engine", targets: "Sequence[Remote]") -> "Engine | None":
    """The first engine that is a manager: one of the targets, or the one that built."""
    from mpigen.swarm.engine import Engine

    # the build machine comes last: it may have a Swarm of its own
    known = (Engine(target.connect(), target.where) for target in targets)
    return next((each for each in chain(known, [engine]) if each.is_manager), None)


def _refuse_lacking(
    manager: "Engine", rendered: "Artifacts", built: "Sequence[Built]", say: "Say"
) -> None:
    from mpigen.errors import ClusterError
    from mpigen.image import startable

    say("checking each node for the image")
    wrong = []
    # one for each of several platforms: on the nodes they have one name
    for each in {each.variant: each for each in built}.values():
        if lacking := startable.lacking_for(manager, each.reference, rendered, say, each.variant):
            nodes = "\n".join(f"  {node}: {why}" for node, why in lacking.items())
            wrong.append(f"these nodes cannot start {each.reference}:\n{nodes}")
    if wrong:
        raise ClusterError(
            "\n".join(wrong),
            "Name their endpoints as image.endpoints in mpigen.yaml, and render; or by hand:\n"
            f"  {_by_hand(built)}",
        )


def _by_hand(built: "Sequence[Built]") -> str:
    if built[0].stored == built[0].reference:
        names = " ".join(f"{each.image} {each.reference}" for each in built)
        return f"docker save {names} | ssh SERVER docker load"
    lines = []
    for each in built:
        tags = " && ".join(
            f"docker tag {each.stored} {name}" for name in (each.image, each.reference)
        )
        there = f"docker save {each.stored} | ssh SERVER 'docker load && {tags}'"
        lines.append(f"{there}    # {each.platform}")
    return "\n  ".join(lines)
