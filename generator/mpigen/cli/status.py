"""`mpigen status`: the cluster's nodes, containers and jobs."""

import json
import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from mpigen.cli import where
from mpigen.cli.options import CONTEXT, JSON_FOR_TABLE, OUTPUT, STACK, deployment
from mpigen.notation.counts import counted

if TYPE_CHECKING:
    from mpigen.job.describe import Job
    from mpigen.swarm.deployment import Deployment


def status(
    output: Path = OUTPUT,
    stack: str = STACK,
    context: str | None = CONTEXT,
    as_json: bool = JSON_FOR_TABLE,
    watch: bool = typer.Option(False, "--watch", help="Refresh every second, until Ctrl-C."),
) -> None:
    """Show nodes, containers, slots, images and running jobs."""
    from mpigen.cli import show

    cluster = deployment(output, stack, context)
    cluster.engine.need_manager()
    while True:
        report = _report(cluster)
        if watch and not as_json:
            show.clear()
        _show(report, as_json, where.again("deploy", output, stack, context))
        if not watch:
            return
        time.sleep(1)


def _report(cluster: "Deployment") -> dict[str, Any]:
    from mpigen.image import select
    from mpigen.job import listing, slots
    from mpigen.swarm import state

    groups = state.groups(cluster)
    known = listing.every(cluster)
    jobs = [job for job in known if not job.over]
    nodes: list[dict[str, Any]] = []
    for node in sorted(cluster.nodes(), key=lambda node: node.name):
        here = [task for group in groups for task in group.tasks if task.node == node.name]
        nodes.append(
            {
                "name": node.name,
                "role": node.role,
                "state": node.state,
                "availability": node.availability,
                "containers": sum(task.state == "running" for task in here),
                "images": sorted({task.image for task in here}),
            }
        )
    deployed = {group.name for group in groups}
    ids = {
        image: select.id_of(cluster.engine, cluster.artifacts, image)
        for image in {group.image for group in groups if group.image_id}
    }
    return {
        "stack": cluster.stack,
        "deployed": bool(groups),
        "missing": [each.name for each in cluster.artifacts.groups if each.name not in deployed],
        "outdated": [
            group.name
            for group in groups
            if group.image_id and ids[group.image] not in ("", group.image_id)
        ],
        "slots": sum(group.running * group.slots for group in groups),
        "nodes": nodes,
        "groups": [asdict(group) for group in groups],
        "slots_in_use": slots.in_use(jobs),
        "jobs": [job.name for job in jobs] + listing.foreign(cluster, known),
        "running": [_job(job) for job in jobs],
    }


def _job(job: "Job") -> dict[str, Any]:
    names = ("name", "state", "kind", "ranks", "slots", "user", "node", "command")
    return {**{name: getattr(job, name) for name in names}, "created": job.created.isoformat()}


def _show(report: dict[str, Any], as_json: bool, deploy: str) -> None:
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
        typer.echo(f"the stack {report['stack']} is not deployed\nnext: {deploy}")
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
            f"{group['name']}: {running} of {counted(group['wanted'], 'container')}, "
            f"{counted(running * group['slots'], 'slot')}, "
            f"{report['slots_in_use'].get(group['name'], 0)} in use, {group['image']}"
        )
    for name in report["missing"]:
        typer.echo(f"{name}: rendered, but not deployed yet: mpigen deploy")
    for name in report["outdated"]:
        show.warn(f"{name}: this engine now has another image of that name: mpigen deploy")
    images = {task["image"] for group in report["groups"] for task in group["tasks"]}
    # each variant has its own image
    if len(images) > len({group["variant"] for group in report["groups"]}):
        show.warn(f"the containers run {len(images)} different images: {', '.join(sorted(images))}")
    typer.echo()
    _show_jobs(report)


def _show_jobs(report: dict[str, Any]) -> None:
    """Which jobs have slots."""
    from mpigen.cli import show

    if report["running"]:
        show.table(
            ("job", "state", "ranks", "slots", "user", "node", "kind", "command"),
            [
                (
                    *(job["name"], job["state"], str(job["ranks"] or "-")),
                    ", ".join(f"{count} of {name}" for name, count in job["slots"].items()) or "-",
                    *(job["user"] or "-", job["node"] or "-", job["kind"], job["command"]),
                )
                for job in report["running"]
            ],
        )
    named = {job["name"] for job in report["running"]}
    for other in report["jobs"]:
        if other not in named:
            show.note(f"{other} may also be a job, started on its own engine: slots unknown")
    typer.echo(f"jobs: {', '.join(report['jobs']) or 'none'}")
