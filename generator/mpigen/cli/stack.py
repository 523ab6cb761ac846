"""`mpigen deploy`, `scale`, `status`, `down`: the cluster on the Swarm."""

import json
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from mpigen.cli.options import CONTEXT, JSON, OUTPUT, STACK
from mpigen.cli.progress import following, progress

if TYPE_CHECKING:
    from mpigen.artifacts import Artifacts
    from mpigen.swarm.engine import Engine
    from mpigen.swarm.live import LiveGroup


def deploy(
    output: Path = OUTPUT,
    stack: str = STACK,
    context: str | None = CONTEXT,
    image: str | None = typer.Option(None, help="Another image than the one that was built."),
    wait: float = typer.Option(120, help="Seconds to wait at most until it is up."),
    force: bool = typer.Option(False, "--force", help="Deploy although jobs run that it ends."),
) -> None:
    """Deploy the cluster, and wait until every container is healthy.

    What would keep it from starting is told first, all at once, and nothing is deployed then. A
    second deploy of the same changes nothing. Exits 3, with each container's own error and last
    lines, if it is not up in time.
    """
    from mpigen import artifacts
    from mpigen.errors import CheckFailed
    from mpigen.swarm import engine as engines
    from mpigen.swarm import image as images
    from mpigen.swarm import live
    from mpigen.swarm import stack as stacks

    rendered = artifacts.read(output)
    name = stack or rendered.name
    engine = engines.reach(context)
    engine.need_manager()
    wanted = images.every(engine, rendered, image)
    there = live.groups(engine, rendered, name)
    changes = [each for each in there if each.image != wanted[each.variant]]
    running = _running(engine, rendered, name) if changes else []
    if running and not force:
        raise CheckFailed(
            f"jobs run on {name}, and another image ends them: {', '.join(running)}",
            "Wait for them, or cancel them (mpigen jobs), or deploy with --force.",
        )
    with following(_rows) as (say, see):
        stacks.deploy(engine, rendered, name, wanted, wait, say, see)
    _say_up(live.groups(engine, rendered, name))
    typer.echo("next: mpigen run -- hostname")


def scale(
    sizes: list[str] = typer.Argument(help="GROUP=N, how many containers a group is to have."),
    output: Path = OUTPUT,
    stack: str = STACK,
    context: str | None = CONTEXT,
    wait: float = typer.Option(120, help="Seconds to wait at most until they are healthy."),
) -> None:
    """Give groups of workers more containers, or fewer, within what the subnet holds."""
    from mpigen import artifacts
    from mpigen.swarm import engine as engines
    from mpigen.swarm import live
    from mpigen.swarm import stack as stacks

    rendered = artifacts.read(output)
    name = stack or rendered.name
    engine = engines.reach(context)
    wanted = _sizes(sizes, rendered, live.deployed(engine, rendered, name), _nodes(engine))
    with following(_rows) as (say, see):
        say(f"scaling {', '.join(f'{group} to {count}' for group, count in wanted.items())}")
        now = stacks.scale(engine, rendered, name, wanted, wait, say, see)
    _say_up(now)
    for group in rendered.groups:
        if wanted.get(group.name, group.replicas) != group.replicas:
            typer.echo(
                f"note: {rendered.stack_file} says {group.replicas} of {group.name}: the next "
                f"deploy goes back to that, unless mpigen.yaml says replicas: {wanted[group.name]}"
            )


def down(
    output: Path = OUTPUT,
    stack: str = STACK,
    context: str | None = CONTEXT,
    wait: float = typer.Option(60, help="Seconds to wait at most until the network is gone."),
) -> None:
    """Remove the cluster: its jobs, services, secrets, and its network, which takes longest."""
    from mpigen import artifacts
    from mpigen.swarm import engine as engines
    from mpigen.swarm import stack as stacks

    rendered = artifacts.read(output)
    name = stack or rendered.name
    engine = engines.reach(context)
    with progress() as say:
        found = stacks.down(engine, rendered, name, wait, say)
    typer.echo(f"the stack {name} is gone" if found else f"there is no stack {name}")


def status(
    output: Path = OUTPUT,
    stack: str = STACK,
    context: str | None = CONTEXT,
    as_json: bool = JSON,
    watch: bool = typer.Option(False, "--watch", help="Go on, once a second, until Ctrl-C."),
) -> None:
    """Show nodes, containers, slots, images and running jobs."""
    from mpigen import artifacts
    from mpigen.cli import show
    from mpigen.swarm import engine as engines

    rendered = artifacts.read(output)
    engine = engines.reach(context)
    engine.need_manager()
    name = stack or rendered.name
    while True:
        report = _report(engine, rendered, name)
        if watch and not as_json:
            show.clear()
        _show(report, as_json)
        if not watch:
            return
        time.sleep(1)


def _report(engine: "Engine", rendered: "Artifacts", name: str) -> dict[str, Any]:
    from mpigen.swarm import live
    from mpigen.swarm.engine import blame

    groups = live.groups(engine, rendered, name)
    with blame("asking for the nodes"):
        nodes = [
            {
                "name": node.get("Description", {}).get("Hostname", node["ID"]),
                "role": node["Spec"]["Role"],
                "state": node["Status"]["State"],
                "availability": node["Spec"]["Availability"],
            }
            for node in engine.client.api.nodes()
        ]
    for node in nodes:
        here = [task for group in groups for task in group.tasks if task.node == node["name"]]
        node["containers"] = sum(task.state == "running" for task in here)
        node["images"] = sorted({task.image for task in here})
    return {
        "stack": name,
        "deployed": bool(groups),
        "slots": sum(group.running * group.slots for group in groups),
        "nodes": sorted(nodes, key=lambda node: str(node["name"])),
        "groups": [asdict(group) for group in groups],
        "jobs": _running(engine, rendered, name),
    }


def _running(engine: "Engine", rendered: "Artifacts", name: str) -> list[str]:
    """The jobs by name; what other engines have put on the network, by its id and node."""
    from mpigen.swarm import jobs

    known = jobs.every(engine, name)
    names = [job.name for job in known if not job.over]
    return names + jobs.unknown(engine, rendered.network_of(name), known)


def _show(report: dict[str, Any], as_json: bool) -> None:
    from mpigen.cli import show

    if as_json:
        typer.echo(json.dumps(report, indent=2))
        return
    show.table(
        ("node", "role", "state", "availability", "containers", "image"),
        [
            (
                *(node[key] for key in ("name", "role", "state", "availability")),
                str(node["containers"]),
                ", ".join(node["images"]) or "-",
            )
            for node in report["nodes"]
        ],
    )
    typer.echo()
    if not report["deployed"]:
        typer.echo(f"the stack {report['stack']} is not deployed\nnext: mpigen deploy")
        return
    show.table(
        ("container", "node", "state", "error"),
        [
            (
                f"{group['name']}-{task['slot'] or task['node']}",
                *(task["node"] or "-", task["state"], task["error"]),
            )
            for group in report["groups"]
            for task in group["tasks"]
        ],
    )
    typer.echo()
    for group in report["groups"]:
        running = sum(task["state"] == "running" for task in group["tasks"])
        typer.echo(
            f"{group['name']}: {running} of {group['wanted']} containers, "
            f"{running * group['slots']} slots, {group['image']}"
        )
    images = {task["image"] for group in report["groups"] for task in group["tasks"]}
    # each variant has one
    if len(images) > len({group["variant"] for group in report["groups"]}):
        show.warn(f"the containers are of {len(images)} images: {', '.join(sorted(images))}")
    typer.echo(f"jobs: {', '.join(report['jobs']) or 'none'}")


def _nodes(engine: "Engine") -> int:
    from mpigen.swarm.engine import blame

    with blame("asking for the nodes"):
        return len(engine.client.api.nodes())


def _sizes(
    words: Sequence[str], rendered: "Artifacts", groups: "Sequence[LiveGroup]", nodes: int
) -> dict[str, int]:
    """What GROUP=N says; raises InputError with all that is wrong."""
    from ipaddress import IPv4Network

    from mpigen.capacity import addresses_needed
    from mpigen.errors import InputError

    known = {group.name: group.wanted for group in groups}
    rendered_modes = {group.name: group.mode for group in rendered.groups}
    wanted: dict[str, int] = {}
    wrong = []
    for word in words:
        group, _, count = word.partition("=")
        if group not in known:
            wrong.append(f"{word}: there is no group {group}: there are {', '.join(known)}")
        elif rendered_modes[group] == "global":
            wrong.append(f"{word}: {group} has one on every server: label servers, or drain them")
        elif not count.isdecimal():
            wrong.append(f"{word}: say how many, as in {group}=6")
        else:
            wanted[group] = int(count)
    tasks = sum((known | wanted).values())
    usable = IPv4Network(rendered.subnet).num_addresses - 2
    needed = addresses_needed(tasks, nodes)
    if needed > usable:
        wrong.append(
            f"{tasks} containers on {nodes} nodes need {needed} addresses, and {rendered.subnet} "
            f"holds {usable}: take a larger network.subnet, render, mpigen down, mpigen deploy"
        )
    if wrong:
        raise InputError("\n".join(wrong), "Nothing was changed.")
    return wanted


def _rows(groups: "Sequence[LiveGroup]") -> list[tuple[str, ...]]:
    """What is shown while one waits: a row a container."""
    return [
        (f"{group.name}-{task.place}", task.node or "-", task.state, task.error)
        for group in groups
        for task in group.tasks
    ]


def _say_up(groups: "Sequence[LiveGroup]") -> None:
    for group in groups:
        nodes = len({task.node for task in group.tasks})
        typer.echo(
            f"{group.name}: {group.running} containers on {nodes} nodes, "
            f"{group.running * group.slots} slots, {group.image}"
        )
