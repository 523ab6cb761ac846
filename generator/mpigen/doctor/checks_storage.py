"""The doctor's check of storage that all servers are to share."""

from mpigen.doctor.facts import Facts
from mpigen.doctor.findings import Finding, join_names

_PAGE = "docs/files.md shows a file server's set-up"


def storage(facts: Facts) -> list[Finding]:
    """Check that a file written on one server is there on all that have workers."""
    return [_folder(facts, folder) for folder in facts.shared]


def _folder(facts: Facts, folder: str) -> Finding:
    names = {node.id: node.name for node in facts.nodes}
    where = {worker.address: names.get(worker.node, worker.node) for worker in facts.workers}
    answers = {
        where[address]: answer
        for seen in facts.attached.values()
        for (of, address), answer in seen.storage.items()
        if of == folder and address in where
    }
    writer = next(iter(answers), "")
    if (said := answers.get(writer, "")).startswith("unwritten"):
        what = f"{writer} cannot write to {folder}: {said.partition(' ')[2]}"
        todo = f"It must be mounted there, and belong to the containers' user: {_PAGE}"
        return Finding("storage", "bad", what, todo)
    if others := join_names(name for name, answer in answers.items() if answer == "other"):
        what = f"{folder} is not shared: what {writer} wrote is not there on {others}"
        todo = f"Mount one file server's folder on each, or drop `shared`: {_PAGE}"
        return Finding("storage", "bad", what, todo)
    if not facts.workers:
        return Finding("storage", "unknown", f"{folder}: no worker runs")
    if silent := {*where.values()} - {*answers}:
        return Finding("storage", "unknown", f"{folder}: not read on {join_names(silent)}")
    if len(answers) < 2:
        return Finding("storage", "unknown", f"{folder}: all workers are on one server")
    what = f"{folder}: written on {writer}, read on {join_names(answers)}"
    return Finding("storage", "ok", what)
