"""The page of a report."""

import re
from dataclasses import replace
from html.parser import HTMLParser

from mpigen.bench import page
from tests import benches

MADE = benches.results(["node-1", "node-1", "node-2", "node-3"])


class _Tags(HTMLParser):
    """Every tag with its attributes, and what would be loaded from elsewhere."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))


def test_the_page_needs_nothing_else_and_runs_nothing() -> None:
    text = page.page(MADE, MADE)
    read = _Tags()
    read.feed(text)
    names = {tag for tag, _ in read.tags}
    assert {"table", "svg", "polyline", "style"} <= names
    assert not names & {"script", "link", "img", "iframe", "object", "base", "form"}
    assert not {name for _, given in read.tags for name in given} & {"src", "href", "srcset"}
    assert not any(name.startswith("on") for _, given in read.tags for name in given)
    assert not re.search(r"https?:|url\(|@import", text)


def test_what_is_shown_are_names_and_values_of_this_bench() -> None:
    text = page.page(replace(MADE, settings={"a_parameter_of_mpi": "x" * 80}))
    # a name is a word, and a long value may be cut anywhere
    assert '<td class="name">a_parameter_of_mpi</td><td class="text">xxx' in text
    assert '<td class="name">w-1</td><td class="name">node-1</td>' in text
    # a card is as high as what it shows
    assert re.search(r"\.cards \{[^}]*align-items: start", text)


def test_placeholders_of_older_results_are_filled_and_settings_folded() -> None:
    given = {"btl_tcp_if_include": "@interface@", "a": "@single_copy@", "b": "@other@"}
    text = page.page(replace(MADE, settings=given), replace(MADE, settings={"a": "@interface@"}))
    assert not re.search(r"@\w+@", text)
    assert "the overlay&#39;s" in text and "as the engine allows" in text
    _, _, settings = text.partition("<h2>Settings</h2>")
    assert "<details>\n<summary><h2>Settings</h2>" in text
    assert "btl_tcp_if_include" in settings.partition("</details>")[0]


def test_times_are_microseconds_throughout() -> None:
    nodes = [f"node-{i}" for i in range(5)]
    slow = benches.results(
        nodes, lambda a, b: (900, 900) if "node-2" in (a.node, b.node) else (1, 1)
    )
    text = page.page(slow, benches.results(nodes))
    shown = re.sub(r"<style>.*?</style>|<[^>]+>", "", text, flags=re.S)
    assert not re.search(r"\d[ \xa0](us|ms)\b", shown)
    # neither seconds, but for how long the bench took
    assert len(re.findall(r"\d(?: |\xa0|&nbsp;)s\b", shown)) == 1
    assert re.search(r"19,\d{3}\xa0µs for 8\xa0B", shown)


def test_names_are_whole_and_values_stay_with_their_units() -> None:
    assert page._unbroken("from w-1 to <w>, 20 µs") == (
        'from <span class="whole">w-1</span> to &lt;w&gt;, 20\xa0µs'
    )
    assert page._unbroken("11 MB/s and 4 KiB, 8 B, 2 %, 5 servers") == (
        "11\xa0MB/s and 4\xa0KiB, 8\xa0B, 2\xa0%, 5 servers"
    )


def test_no_name_gets_into_the_page_as_html() -> None:
    bad = "\"><script>alert(1)</script>&'"
    host = replace(MADE.hosts[0], host=bad, node=bad, interface=bad)
    made = replace(
        MADE,
        cluster=bad,
        stack=bad,
        image=bad,
        mpi=bad,
        when=bad,
        settings={bad: bad},
        hosts=(host, *MADE.hosts[1:]),
    )
    text = page.page(made, replace(MADE, when=bad))
    read = _Tags()
    read.feed(text)
    assert "script" not in {tag for tag, _ in read.tags}
    assert "<script" not in text and "&lt;script&gt;" in text
    cells = [given for tag, given in read.tags if tag == "td" and given.get("class")]
    assert sum("pair" in str(given["class"]).split() for given in cells) == 24
    assert any(bad in (given.get("title") or "") for given in cells)
