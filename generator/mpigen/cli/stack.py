"""`mpigen deploy`, `scale` and `down`: the cluster on the Swarm."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from mpigen.cli import complete, options, where
from mpigen.cli.options import CONTEXT, OUTPUT, STACK, deployment
from mpigen.cli.progress import following, progress
from mpigen.cli.progress import say as print_line
from mpigen.notation.counts import counted

if TYPE_CHECKING:
    from mpigen.artifacts.folder import Artifacts
    from mpigen.swarm.deployment import Deployment
    from mpigen.swarm.state import LiveGroup


def deploy(
    output: Path = OUTPUT,
    stack: str = STACK,
    context: str | None = CONTEXT,
    image: str | None = typer.Option(
        None, help="Deploy this image instead of the one that was built."
    ),
    wait: float = options.wait(120, "it is up"),
    force: bool = typer.Option(False, "--force", help="Deploy even if that ends running jobs."),
    dry_run: bool = typer.Option(
        False, "--dry-run", help="Show what would change, and change nothing. Exits 0 in any case."
    ),
    as_json: bool = options.json_output("Print the dry run as JSON."),
) -> None:
    """Deploy the cluster, and wait until every container is healthy.

    Problems that would keep it from starting are reported first, all at once; then nothing is
    deployed. Deploying the same again changes nothing. Exits 3, with the error and the last lines
    of each container, if the cluster is not up in time. If mpigen does not know the base image, it
    then tries a job with one rank on each host, and exits 1 if that fails.
    """
    from mpigen.errors import CheckFailed, InputError
    from mpigen.image import select as images
    from mpigen.job import listing
    from mpigen.stack import deploy as stacks
    from mpigen.swarm import state

    if as_json and not dry_run:
        raise InputError("--json needs --dry-run", "mpigen deploy --dry-run --json")
    cluster = deployment(output, stack, context)
    if dry_run:
        from mpigen.cli import dry_run as dry
        from mpigen.stack import plan

        with progress() as say:
            say(f"comparing {cluster.artifacts.stack_file} with the Swarm")
            found = plan.make(cluster, image)
        dry.show(found, as_json)
        return
    cluster.engine.need_manager()
    wanted = images.references_to_deploy(cluster.engine, cluster.artifacts, image)
    ids = {
        name: images.id_of(cluster.engine, cluster.artifacts, reference)
        for name, reference in wanted.items()
    }
    changed = [
        each
        for each in state.groups(cluster)
        if each.image != wanted[each.variant] or ids[each.variant] not in ("", each.image_id)
    ]
    running = listing.running(cluster) if changed else []
    if running and not force:
        raise CheckFailed(
            f"jobs are running on {cluster.stack}, and deploying another image ends them: "
            f"{', '.join(running)}",
            "Wait for them, or cancel them (mpigen jobs), or deploy with --force.",
        )
    with following(_rows) as (say, see):
        for each in changed:
            if each.image == wanted[each.variant]:
                say(f"{each.name}: {each.image} has changed: its containers are replaced")
        stacks.deploy(cluster, wanted, wait, say, see)
    _say_up(state.groups(cluster))
    if cluster.artifacts.untried:
        _try(cluster, wait)
    typer.echo(f"next: {where.again('run', output, stack, context, '-- hostname')}")


def scale(
    sizes: list[str] = typer.Argument(
        metavar="GROUP=N...",
        help="The number of containers of a group.",
        autocompletion=complete.sizes,
    ),
    output: Path = OUTPUT,
    stack: str = STACK,
    context: str | None = CONTEXT,
    wait: float = options.wait(120, "they are healthy"),
    force: bool = typer.Option(
        False, "--force", help="Remove containers even if that ends running jobs."
    ),
) -> None:
    """Change the number of containers of groups, as far as the subnet has addresses."""
    from mpigen.stack import deploy as stacks
    from mpigen.swarm import state

    cluster = deployment(output, stack, context)
    rendered = cluster.artifacts
    groups = state.deployed(cluster)
    wanted = _sizes(sizes, rendered, groups, len(cluster.nodes()))
    if not force:
        stacks.refuse_removal(cluster, groups, wanted)
    with following(_rows) as (say, see):
        say(f"scaling {', '.join(f'{group} to {count}' for group, count in wanted.items())}")
        now = stacks.scale(cluster, wanted, wait, say, see)
    _say_up(now)
    for group in rendered.groups:
        count = wanted.get(group.name, group.replicas)
        if count != group.replicas:
            # mpigen.yaml takes no 0
            unless = f", unless mpigen.yaml sets replicas: {count}" if count else ""
            typer.echo(
                f"note: {rendered.stack_file} has {group.replicas} of {group.name}: the next "
                f"deploy restores that number{unless}"
            )
    verb, after = ("run", "-- hostname") if any(g.running for g in now) else ("jobs", "")
    typer.echo(f"next: {where.again(verb, output, stack, context, after)}")


def down(
    output: Path = OUTPUT,
    stack: str = STACK,
    context: str | None = CONTEXT,
    wait: float = options.wait(60, "the network is gone"),
) -> None:
    """Remove the cluster: its jobs, services, secrets, and its network, which takes longest."""
    from mpigen.stack import deploy as stacks

    cluster = deployment(output, stack, context)
    with progress() as say:
        found = stacks.down(cluster, wait, say)
    name = cluster.stack
    typer.echo(f"the stack {name} is gone" if found else f"there is no stack {name}")


def _sizes(
    words: Sequence[str], rendered: "Artifacts", groups: "Sequence[LiveGroup]", nodes: int
) -> dict[str, int]:
    """Parse GROUP=N. Raises InputError with every mistake."""
    from ipaddress import IPv4Network

    from mpigen.errors import InputError
    from mpigen.notation.subnets import addresses_needed

    known = {group.name: group.wanted for group in groups}
    rendered_modes = {group.name: group.mode for group in rendered.groups}
    wanted: dict[str, int] = {}
    wrong = []
    for word in words:
        group, _, count = word.partition("=")
        if group not in known:
            wrong.append(f"{word}: there is no group {group}; groups: {', '.join(known)}")
        elif rendered_modes[group] == "global":
            wrong.append(
                f"{word}: {group} runs one container on every server: label servers, or drain them"
            )
        elif not count.isdecimal():
            wrong.append(f"{word}: give a number, for example {group}=6")
        else:
            wanted[group] = int(count)
    tasks = sum((known | wanted).values())
    usable = IPv4Network(rendered.subnet).num_addresses - 2
    needed = addresses_needed(tasks, nodes)
    if needed > usable:
        wrong.append(
            f"{tasks} containers on {nodes} nodes need {needed} addresses, but {rendered.subnet} "
            f"has {usable}: set a larger network.subnet, render, mpigen down, mpigen deploy"
        )
    if wrong:
        raise InputError("\n".join(wrong), "Nothing was changed.")
    return wanted


def _rows(groups: "Sequence[LiveGroup]") -> list[tuple[str, ...]]:
    """The rows that are shown while waiting, one per container."""
    return [
        (f"{group.name}-{task.place}", task.node or "-", task.state, task.error)
        for group in groups
        for task in group.tasks
    ]


def _try(cluster: "Deployment", wait: float) -> None:
    from mpigen.job import events as happening
    from mpigen.stack import trial

    with happening.caught() as events:
        code = trial.one_rank_on_each(cluster, wait, events, print_line)
    if code:
        print_line(f"interrupted: {cluster.stack} is up, and was not tried")
        raise typer.Exit(code)


def _say_up(groups: "Sequence[LiveGroup]") -> None:
    for group in groups:
        nodes = len({task.node for task in group.tasks})
        typer.echo(
            f"{group.name}: {counted(group.running, 'container')} on {counted(nodes, 'node')}, "
            f"{counted(group.running * group.slots, 'slot')}, {group.image}"
        )
