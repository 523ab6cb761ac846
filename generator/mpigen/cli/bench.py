"""`mpigen bench`: measure the network between the hosts, and find slow pairs."""

import io
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from mpigen.cli import options
from mpigen.cli.options import CONTEXT, JSON_FOR_TABLE, OUTPUT, STACK
from mpigen.cli.progress import say

if TYPE_CHECKING:
    from mpigen.bench.compare import Change
    from mpigen.bench.results import Results

_REPORT = Path("report.html")
_GROUPS = options.workers("Use only the hosts of this group. May be repeated.")


def bench(
    results: Path | None = typer.Argument(
        None, help="Show the results of an earlier bench instead of measuring now."
    ),
    report: Path = typer.Option(
        _REPORT, "--report", help="The HTML report. The results are written beside it, as .json."
    ),
    compare: Path | None = typer.Option(
        None, "--compare", metavar="OLD.json", help="Report what has changed since these results."
    ),
    at_once: bool = typer.Option(
        False, "--at-once", help="Measure pairs without a common host in parallel: for many hosts."
    ),
    groups: list[str] = _GROUPS,
    output: Path = OUTPUT,
    stack: str = STACK,
    context: str | None = CONTEXT,
    as_json: bool = JSON_FOR_TABLE,
) -> None:
    """Measure every pair of hosts, and the collectives; report slow pairs.

    This needs image: {bench: true} in mpigen.yaml. One rank runs on each host. A table is printed,
    the full report is written to report.html, and the results to report.json. Exits 3 if a pair
    could not be measured.
    """
    from mpigen.bench import page
    from mpigen.bench import results as kept
    from mpigen.errors import ClusterError

    _refuse(report)
    old = kept.read(compare) if compare else None
    found = kept.read(results) if results else _measure(output, stack, context, groups, at_once)
    _write(report, page.page(found, old))
    if not results:
        _write(report.with_suffix(".json"), kept.as_json(found))
    if as_json:
        typer.echo(kept.as_json(found), nl=False)
    else:
        _print(found, old)
    typer.echo(
        f"written: {report}" + ("" if results else f", {report.with_suffix('.json')}"), err=True
    )
    if failed := sum(pair.failed for pair in found.pairs):
        raise ClusterError(
            f"{failed} of {len(found.pairs)} pairs could not be measured",
            "See the messages above, then run: mpigen doctor",
        )


def _measure(
    output: Path, stack: str, context: str | None, groups: list[str], at_once: bool
) -> "Results":
    from mpigen.bench import measure as measuring
    from mpigen.job import events as happening
    from mpigen.job.hosts import discover_hosts

    cluster = options.deployment(output, stack, context)
    hosts = discover_hosts(cluster).choose(tuple(groups))
    measuring.refuse(cluster.artifacts, hosts)
    with happening.caught() as events:
        code, found = measuring.run(cluster, hosts, at_once, events, say)
    if found is None:
        raise typer.Exit(code)
    return found


def _refuse(report: Path) -> None:
    """Raise InputError, before anything is measured, if the report cannot be written there."""
    from mpigen.errors import InputError

    if report.suffix == ".json":
        raise InputError(
            f"--report {report}: .json is for the results; name a page, for example report.html"
        )
    if not report.parent.is_dir():
        raise InputError(f"--report {report}: there is no folder {report.parent}")


def _write(file: Path, text: str) -> None:
    from mpigen.errors import InputError

    try:
        file.write_text(text, encoding="utf-8")
    except OSError as error:
        raise InputError(f"{file}: cannot be written: {error.strerror}", "--report FILE") from error


def _print(found: "Results", old: "Results | None") -> None:
    from mpigen.bench import compare, judge, words
    from mpigen.cli import show

    # a locale without ✗ gets its own replacement character
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")
    slow = {one.pair for one in judge.slow_pairs(found)}
    rows = []
    for pair in found.pairs:
        a, b = found.hosts[pair.a], found.hosts[pair.b]
        rows.append(
            (
                a.host,
                b.host,
                a.node if a.node == b.node else f"{a.node}, {b.node}",
                words.short(pair.latency_us.median),
                words.short(pair.there_mb_s.median),
                words.short(pair.back_mb_s.median),
                "slow" if pair in slow else "",
            )
        )
    show.table(("host", "host", "node", "µs, 8 B", "MB/s there", "MB/s back", ""), rows)
    if found.collectives:
        sizes = sorted({each.size for each in found.collectives})
        by = {(each.name, each.size): words.duration(each.us.median) for each in found.collectives}
        names = dict.fromkeys(name for name, _ in by)
        typer.echo("")
        show.table(
            ("collective", *map(words.size, sizes)),
            [(name, *(by.get((name, size), "–") for size in sizes)) for name in names],
        )
    typer.echo("")
    for finding in judge.findings(found):
        typer.echo(f"✗ {finding.what}\n    possible cause: {finding.possible_cause}")
    if not judge.findings(found):
        typer.echo(
            f"no pair takes more than {judge.FACTOR:g} times as long as is usual for its kind"
        )
    if old:
        _print_changes(compare.changes(old, found), compare.circumstances(old, found), old.when)


def _print_changes(changes: "list[Change]", others: list[str], when: str) -> None:
    from mpigen.cli import show

    typer.echo(f"\nsince {when}:")
    if changes:
        rows = [(each.what, each.before, each.after, each.verdict) for each in changes]
        show.table(("what", "then", "now", "now is"), rows)
    else:
        typer.echo("nothing measured differs beyond noise")
    for line in others:
        typer.echo(f"  {line}")
