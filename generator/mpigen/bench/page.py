"""The report: one self-contained HTML file without scripts."""

import math
import re
from dataclasses import dataclass
from pathlib import Path

import jinja2
from markupsafe import Markup, escape

from mpigen.bench import compare, judge, words
from mpigen.bench.chart import Chart, Series, chart
from mpigen.bench.results import Curve, Results

# a map of more hosts shows only colours, and its figures as tooltips
_MAX_HOSTS_WITH_FIGURES = 20
# this many times the baseline gets the strongest colour
_HOTTEST_FACTOR = 8.0
# the least width of a card in pixels, and that of a map's names and of each of its columns
_CARD, _NAMES, _FIGURE, _COLOUR = 470, 200, 58, 15
# what containers put for the placeholders of parameters, in results of older versions
_PLACEHOLDERS = {"interface": "the overlay's", "single_copy": "as the engine allows"}


@dataclass(frozen=True)
class Cell:
    """A heat map's cell for two hosts. `heat` is 0 at the baseline, and 1 at most."""

    text: str
    title: str
    heat: float
    slow: bool
    same: bool


@dataclass(frozen=True)
class HeatMap:
    """A heat map with hosts as rows and columns; None is a host with itself."""

    title: str
    note: str
    rows: tuple[tuple[Cell | None, ...], ...]


def page(results: Results, old: Results | None = None) -> str:
    """Return the report of `results`, compared with the earlier bench `old` if given."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        short=words.short, duration=words.duration, unbroken=_unbroken, filled=_filled
    )
    return environment.get_template("report.html.j2").render(
        results=results,
        nodes=len({host.node for host in results.hosts}),
        findings=judge.findings(results),
        factor=judge.FACTOR,
        usual=judge.baselines(results),
        maps=(_latency(results), _bandwidth(results)),
        figures=len(results.hosts) <= _MAX_HOSTS_WITH_FIGURES,
        map_width=_map_width(len(results.hosts)),
        card=_CARD,
        collectives=_collectives(results),
        pairs=_pairs(results),
        allreduce=next((one for one in results.collectives if one.name == "allreduce"), None),
        old=old,
        noise=compare.NOISE,
        changes=compare.changes(old, results) if old else [],
        circumstances=compare.circumstances(old, results) if old else [],
    )


def _map_width(hosts: int) -> int:
    """The least width of a map's card in pixels, in which its columns have room."""
    column = _FIGURE if hosts <= _MAX_HOSTS_WITH_FIGURES else _COLOUR
    return max(_CARD, _NAMES + column * hosts)


def _unbroken(text: str) -> Markup:
    """Text in which no line ends within a name with hyphens, or before a unit."""
    text = re.sub(r"(?<=\d) (?=(?:µs|MB/s|[KM]?i?B|s|%)(?!\w))", "\N{NO-BREAK SPACE}", text)
    words = (
        Markup('<span class="whole">{}</span>').format(word) if "-" in word else escape(word)
        for word in text.split(" ")
    )
    return Markup(" ").join(words)


def _filled(value: str) -> str:
    """A parameter's value without the placeholders that a container replaces."""
    return re.sub(r"@(\w+)@", lambda found: _PLACEHOLDERS.get(found[1], "set at start"), value)


def _latency(results: Results) -> HeatMap:
    figures = {}
    for pair in results.pairs:
        spread = pair.latency_us
        figures[pair.a, pair.b] = figures[pair.b, pair.a] = (
            spread.median,
            f"{words.duration(spread.median)} one way, "
            f"half of them {words.short(spread.low)} to {words.short(spread.high)}",
        )
    usual = {same: norm.latency for same, norm in judge.baselines(results).items()}
    note = "µs one way, of a message of 8 B: the median of all round trips, halved."
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
    usual = {same: norm.bandwidth for same, norm in judge.baselines(results).items()}
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
        value, figure = figures.get((a, b), (0.0, ""))
        way = f"{one.host} ({one.node}) → {other.host} ({other.node})"
        if not value:
            return Cell("✗", f"{way}: could not be measured", 1.0, True, same)
        times = value / usual[same] if less_is_better else usual[same] / value
        heat = min(1.0, max(0.0, math.log(times) / math.log(_HOTTEST_FACTOR)))
        tooltip = f"{way}: {figure}; {times:.2f} times the usual time"
        return Cell(words.short(value), tooltip, round(heat, 3), times > judge.FACTOR, same)

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
