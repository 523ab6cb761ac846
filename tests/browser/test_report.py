"""The report of a bench as a browser lays it out."""

import json
import re
from html import unescape
from pathlib import Path

import pytest

from mpigen.bench import page
from mpigen.bench.results import Host, Results
from tests import benches
from tests.browser import chromium

pytestmark = pytest.mark.long

# what the browser knows when it has laid out the page, in place of it
_LOOK = """
<script>
addEventListener("load", () => {
  const box = e => {
    const r = e.getBoundingClientRect();
    return [r.left, r.top, r.right, r.bottom];
  };
  const all = (where, of) => [...document.querySelectorAll(where)].map(of);
  const inside = e => e.scrollWidth <= e.clientWidth && e.scrollHeight <= e.clientHeight;
  const found = {
    width: document.documentElement.scrollWidth,
    cells: all("td.pair", e => ({map: e.closest("table").dataset.map, text: e.textContent,
      box: box(e), inside: inside(e), slow: e.classList.contains("slow"),
      colour: getComputedStyle(e).backgroundColor})),
    cards: all(".card, .facts div", e => ({box: box(e), inside: e.scrollWidth <= e.clientWidth})),
    lines: all("polyline", e => e.getTotalLength()),
    words: all("svg text", box), pictures: all("svg", box),
    names: all(".whole, .name", e => ({text: e.textContent, high: e.getBoundingClientRect().height,
      line: parseFloat(getComputedStyle(e).lineHeight) || 23, shown: e.checkVisibility()})),
    page: getComputedStyle(document.body).backgroundColor,
    ink: getComputedStyle(document.body).color,
    open: document.querySelectorAll("details[open]").length,
  };
  document.body.textContent = JSON.stringify(found);
});
</script>
"""

Look = dict[str, list[dict[str, object]]]


def _results(count: int) -> Results:
    """One container a node, and one more on the last; node-2 is slow."""

    def slow(a: Host, b: Host) -> tuple[float, float]:
        return (20, 4) if "node-2" in (a.node, b.node) else (1, 1)

    return benches.results([f"node-{min(i, count - 1)}" for i in range(1, count + 1)], slow)


def _look(folder: Path, made: Results, width: int, dark: bool = False) -> Look:
    """What the browser sees of the page. The script that looks is ours: a page has none."""
    text = page.page(made, made)
    # the page's own policy would refuse it
    policy = re.compile(r"<meta http-equiv=[^>]*>")
    assert len(policy.findall(text)) == 1
    (folder / "r.html").write_text(policy.sub("", text).replace("</head>", f"{_LOOK}</head>"))
    seen = chromium.dom(folder / "r.html", width, dark=dark)
    found: Look = json.loads(unescape(re.findall(r"<body>(.*)</body>", seen, re.S)[0]))
    return found


@pytest.mark.parametrize("width", [1280, 1440, 900])
def test_each_pair_has_a_cell_with_its_figure_in_it(tmp_path: Path, width: int) -> None:
    made = _results(7)
    cells = _look(tmp_path, made, width)["cells"]
    for name in ("Latency", "Bandwidth"):
        its = [cell for cell in cells if cell["map"] == name]
        assert len(its) == 7 * 6
        for cell in its:
            left, top, right, bottom = cell["box"]  # type: ignore[misc]
            assert right - left >= 40 and bottom - top >= 24 and cell["inside"], cell
            assert re.fullmatch(r"[\d,.]+", str(cell["text"])), cell
        # none lies over another
        assert len({str(cell["box"]) for cell in its}) == len(its)
        assert sum(bool(cell["slow"]) for cell in its) == 2 * 6
        hot = {str(cell["colour"]) for cell in its if cell["slow"]}
        cool = {str(cell["colour"]) for cell in its if not cell["slow"]}
        assert not hot & cool


@pytest.mark.parametrize(
    ("count", "width"),
    [(2, 1280), (7, 500), (7, 1400), (7, 2200), (24, 900), (24, 2200), (64, 500), (64, 1280)],
)
def test_nothing_sticks_out(tmp_path: Path, count: int, width: int) -> None:
    seen = _look(tmp_path, _results(count), width)
    assert seen["width"] == width
    for card in seen["cards"]:
        left, _, right, _ = card["box"]  # type: ignore[misc]
        assert 0 <= left < right <= width and card["inside"], card
    assert len(seen["lines"]) == 4 and all(length > 100 for length in seen["lines"])  # type: ignore[operator]
    assert len(seen["pictures"]) == 2
    for box in seen["words"]:
        left, top, right, bottom = box  # type: ignore[misc]
        assert any(
            l <= left < right <= r and t <= top < bottom <= b
            for l, t, r, b in seen["pictures"]  # type: ignore[misc] # noqa: E741
        ), box
    assert len(seen["cells"]) == 2 * count * (count - 1)


def _brightness(colour: object) -> int:
    return sum(map(int, re.findall(r"\d+", str(colour))[:3]))


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize(("width", "columns"), [(500, 1), (1400, 2), (2200, 4)])
def test_the_page_uses_the_width_that_there_is(
    tmp_path: Path, width: int, columns: int, dark: bool
) -> None:
    seen = _look(tmp_path, _results(4), width, dark)
    page, ink = _brightness(seen["page"]), _brightness(seen["ink"])
    assert page < 150 < 600 < ink if dark else ink < 150 < 700 < page
    cards = [card["box"] for card in seen["cards"]]
    assert min(box[0] for box in cards) < 50 and max(box[2] for box in cards) > width - 50  # type: ignore[index]
    # the maps and the charts: cards as wide as the first map
    least = (width - 100) / columns - 30
    tops: dict[float, int] = {}
    for left, top, right, _ in cards:  # type: ignore[misc]
        if right - left > least:
            tops[top] = tops.get(top, 0) + 1
    assert max(tops.values()) == columns
    assert seen["open"] == 0


@pytest.mark.parametrize("width", [500, 1400])
def test_no_name_is_broken(tmp_path: Path, width: int) -> None:
    made = benches.results(
        ["compute-rack-1", "compute-rack-2", "compute-rack-3"],
        lambda a, b: (20, 9) if "rack-2" in a.node + b.node else (1, 1),
    )
    names = [name for name in _look(tmp_path, made, width)["names"] if name["shown"]]
    assert {"compute-rack-2", "w-1"} <= {str(name["text"]) for name in names}
    for name in names:
        assert name["high"] < 1.9 * name["line"], name  # type: ignore[operator]


def test_the_page_itself_runs_no_script(tmp_path: Path) -> None:
    text = page.page(_results(3))
    evil = "<script>document.title = 'ran'</script></head>"
    (tmp_path / "r.html").write_text(text.replace("</head>", evil))
    assert "<title>ran" not in chromium.dom(tmp_path / "r.html", 1280)
    # and without the policy it would have
    bare = text.replace("default-src 'none'", "").replace("</head>", evil)
    (tmp_path / "r.html").write_text(re.sub(r"<meta http-equiv[^>]*>", "", bare))
    assert "<title>ran" in chromium.dom(tmp_path / "r.html", 1280)
