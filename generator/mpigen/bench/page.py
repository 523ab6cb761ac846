"""The report: one HTML file that needs nothing else, no script either."""

import math
from dataclasses import dataclass
from pathlib import Path

import jinja2

from mpigen.bench import compare, judge, words
from mpigen.bench.chart import Chart, Series, chart
from mpigen.bench.results import Curve, Results

# a map of more hosts than this shows colours, and its figures when they are pointed at
_MOST_FIGURES = 20
# so many times the usual is the strongest colour
_HOTTEST = 8.0


@dataclass(frozen=True)
class Cell:
    """What a heat map says of two hosts. `heat` is 0 for as fast as usual, up to 1."""

    text: str
    title: str
    heat: float
    slow: bool
    same: bool


@dataclass(frozen=True)
class HeatMap:
    """Rows and columns are the hosts; None is a host with itself."""

    title: str
    note: str
    rows: tuple[tuple[Cell | None, ...], ...]


def page(results: Results, old: Results | None = None) -> str:
    """The report of `results`; compared with those of an earlier bench, if given."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(short=words.short, duration=words.duration)
    return environment.get_template("report.html.j2").render(
        results=results,
        nodes=len({host.node for host in results.hosts}),
        findings=judge.findings(results),
        factor=judge.FACTOR,
        usual=judge.usual(results),
        maps=(_latency(results), _bandwidth(results)),
        figures=len(results.hosts) <= _MOST_FIGURES,
        collectives=_collectives(results),
        pairs=_pairs(results),
        allreduce=next((one for one in results.collectives if one.name == "allreduce"), None),
        old=old,
        noise=compare.NOISE,
        changes=compare.changes(old, results) if old else [],
        circumstances=compare.circumstances(old, results) if old else [],
    )


def _latency(results: Results) -> HeatMap:
    figures = {}
    for pair in results.pairs:
        spread = pair.latency_us
        figures[pair.a, pair.b] = figures[pair.b, pair.a] = (
            spread.median,
            f"{words.duration(spread.median)} one way, "
            f"half of them {words.short(spread.low)} to {words.short(spread.high)}",
        )
    usual = {same: norm.latency for same, norm in judge.usual(results).items()}
    note = "us one way, of a message of 8 B: the median of all round trips, halved."
    return _map(results, "Latency", note, figures, usual, less_is_better=True)


def _bandwidth(results: Results) -> HeatMap:
    figures = {}
    for pair in results.pairs:
        for a, b, spread in (
            (pair.a, pair.b, pair.there_mb_s),
            (pair.b, pair.a, pair.back_mb_s),
        ):
            middle = f"half of them {words.short(spread.low)} to {words.short(spread.high)}"
            figures[a, b] = (spread.median, f"{words.short(spread.median)} MB/s, {middle}")
    usual = {same: norm.bandwidth for same, norm in judge.usual(results).items()}
    note = "MB/s from the host of the row to that of the column, by messages of 1 MiB."
    return _map(results, "Bandwidth", note, figures, usual, less_is_better=False)


def _map(
    results: Results,
    title: str,
    note: str,
    figures: dict[tuple[int, int], tuple[float, str]],
    usual: dict[bool, float],
    less_is_better: bool,
) -> HeatMap:
    def cell(a: int, b: int) -> Cell | None:
        if a == b:
            return None
        one, other = results.hosts[a], results.hosts[b]
        same = one.node == other.node
        value, words_of = figures.get((a, b), (0.0, ""))
        way = f"{one.host} ({one.node}) → {other.host} ({other.node})"
        if not value:
            return Cell("✗", f"{way}: could not be measured", 1.0, True, same)
        times = value / usual[same] if less_is_better else usual[same] / value
        heat = min(1.0, max(0.0, math.log(times) / math.log(_HOTTEST)))
        said = f"{way}: {words_of}; {times:.2f} times the usual time"
        return Cell(words.short(value), said, round(heat, 3), times > judge.FACTOR, same)

    hosts = range(len(results.hosts))
    return HeatMap(title, note, tuple(tuple(cell(a, b) for b in hosts) for a in hosts))


def _collectives(results: Results) -> Chart | None:
    names = dict.fromkeys(each.name for each in results.collectives)
    return chart(
        [
            Series(
                name,
                tuple((c.size, c.us.median) for c in results.collectives if c.name == name),
            )
            for name in names
        ]
    )


def _pairs(results: Results) -> Chart | None:
    return chart(
        [
            Series(_curve(results, each), tuple((p.size, p.us.median) for p in each.points))
            for each in results.curves
        ]
    )


def _curve(results: Results, curve: Curve) -> str:
    return results.name(curve) + (" (one node)" if results.same_node(curve) else "")
