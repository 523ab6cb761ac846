"""The results of a bench as a file, what has changed between two, and the page made of them."""

import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest

from mpigen.artifacts import folder
from mpigen.bench import compare, page, results, words
from mpigen.bench import measure as measuring
from mpigen.errors import InputError
from mpigen.job.hosts import Hosts
from mpigen.mpi import IMPLEMENTATIONS
from mpigen.mpi.base import Implementation
from tests import benches, sites
from tests.conftest import Mpigen

MADE = benches.results(["node-1", "node-1", "node-2", "node-3"])


def _printed(**changes: object) -> str:
    """What mpi-bench would print: hosts in its own order, a pair from the later to the earlier."""
    some = [0.9, 1.0, 1.1]
    host = {"interface": "eth0", "mtu": 1450, "cpus": 2, "load": 0.5}
    said = {
        "mpi": "an MPI",
        "at_once": False,
        "hosts": [
            {"host": "w-10", "node": "n-2", **host},
            {"host": "w-9", "node": "n-2", **host},
            {"host": "w-1", "node": "n-10", **host},
        ],
        "pairs": [
            {"a": 0, "b": 1, "failed": False}
            | {"latency_us": some, "there_mb_s": [7, 8, 9], "back_mb_s": [1, 2, 3]},
            {"a": 0, "b": 2, "failed": False}
            | {"latency_us": some, "there_mb_s": some, "back_mb_s": some},
        ],
        "curves": [{"a": 2, "b": 0, "points": [{"size": 8, "us": some}]}],
        "collectives": [{"name": "bcast", "size": 8, "us": some}],
        "seconds": 3.5,
    }
    return json.dumps(said | changes)


ABOUT = {"cluster": "c", "stack": "s", "when": "now", "mpigen": "1", "image": "i", "settings": {}}


def test_hosts_are_in_the_order_of_nodes_and_names_whatever_the_ranks_were() -> None:
    made = results.parse(_printed(), ABOUT)
    assert [host.host for host in made.hosts] == ["w-9", "w-10", "w-1"]
    first, second = made.pairs
    assert (first.a, first.b, second.a, second.b) == (0, 1, 1, 2)
    # from w-9 to w-10 now, and so the other way round
    assert (first.there_mb_s.median, first.back_mb_s.median) == (2, 8)
    assert (made.curves[0].a, made.curves[0].b) == (2, 1)


@pytest.mark.parametrize("printed", ["", "nonsense", "{}", _printed(hosts=3), _printed() + "x"])
def test_other_output_is_no_result(printed: str) -> None:
    with pytest.raises(ValueError):
        results.parse(printed, ABOUT)


def test_a_file_holds_all_of_it(tmp_path: Path) -> None:
    (tmp_path / "r.json").write_text(results.as_json(MADE))
    assert results.read(tmp_path / "r.json") == MADE


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"cluster": "x", "pairs": 3}'])
def test_a_file_of_something_else_is_refused(tmp_path: Path, mpigen: Mpigen, text: str) -> None:
    (tmp_path / "other.json").write_text(text)
    for words_of in (["--compare", tmp_path / "other.json"], [tmp_path / "other.json"]):
        done = mpigen("bench", *words_of, "--report", tmp_path / "r.html")
        assert done.code == 2 and "holds no results of a bench" in done.err
    assert not (tmp_path / "r.html").exists()
    assert mpigen("bench", tmp_path / "none.json", "--report", tmp_path / "r.html").code == 2


def test_what_does_not_differ_beyond_noise_is_not_told() -> None:
    a_bit = benches.results([host.node for host in MADE.hosts], lambda *_: (1.2, 1.2))
    assert compare.changes(MADE, MADE) == compare.changes(MADE, a_bit) == []
    # far apart, and yet each has been as the other
    wide = benches.spread(50)._replace(low=10, high=90)
    pairs = tuple(replace(pair, latency_us=wide) for pair in MADE.pairs)
    assert compare.changes(MADE, replace(MADE, pairs=pairs)) == []


def test_what_has_changed_is_told_the_worst_first() -> None:
    late = benches.results(
        [host.node for host in MADE.hosts],
        lambda a, b: (3, 1) if (a.host, b.host) == ("w-1", "w-3") else (1, 0.5),
    )
    told = compare.changes(MADE, late)
    assert told[0].what == "w-1 – w-3, 8 B" and told[0].verdict == "3.0 times as bad"
    assert {each.verdict for each in told[1:]} == {"2.0 times as good"}
    assert {"w-1 → w-4, 1 MiB", "w-4 → w-1, 1 MiB"} < {each.what for each in told}
    assert [each.verdict for each in compare.changes(late, MADE)][-1] == "3.0 times as good"


def test_hosts_settings_and_versions_that_are_others_are_told() -> None:
    first, second, third, _ = MADE.hosts
    other = replace(
        MADE,
        hosts=(first, replace(second, node="node-9", mtu=1350), third),
        settings={"subnet": "10.78.0.0/24", "btl": "self"},
        mpi="MPICH",
    )
    assert compare.circumstances(MADE, MADE) == []
    assert compare.circumstances(MADE, other) == [
        "hosts that are gone: w-4",
        "w-2 was on node-1 and is on node-9",
        "w-2 had MTU 1450 and has 1350",
        "btl was unset and is self",
        "subnet was 10.77.0.0/24 and is 10.78.0.0/24",
        "the MPI was Open MPI v5.0.7 and is MPICH",
    ]


def test_the_verb_shows_results_again_and_compares_two(tmp_path: Path, mpigen: Mpigen) -> None:
    slow = benches.results(
        [host.node for host in MADE.hosts], lambda _, b: (9, 1) if b.host == "w-4" else (1, 1)
    )
    (tmp_path / "old.json").write_text(results.as_json(MADE))
    (tmp_path / "new.json").write_text(results.as_json(slow))
    shown = ("bench", tmp_path / "new.json", "--report", tmp_path / "r.html")
    done = mpigen(*shown, "--compare", tmp_path / "old.json")
    assert done.code == 0
    assert "✗ node-3 is slow: 3 of its 3 pairs with other nodes" in done.out
    assert "w-1 – w-4, 8 B" in done.out and "9.0 times as bad" in done.out
    assert "9.0 times as bad" in (tmp_path / "r.html").read_text()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["new.json", "old.json", "r.html"]
    done = mpigen(*shown, "--json")
    assert json.loads(done.out) == json.loads((tmp_path / "new.json").read_text())


def test_a_pair_that_could_not_be_measured_is_an_error_after_the_report(
    tmp_path: Path, mpigen: Mpigen
) -> None:
    (tmp_path / "r.json").write_text(results.as_json(benches.without(MADE, 0, 3)))
    done = mpigen("bench", tmp_path / "r.json", "--report", tmp_path / "r.html")
    assert done.code == 3 and "1 of 6 pairs could not be measured" in done.err
    assert "w-1 – w-4: could not be measured" in (tmp_path / "r.html").read_text()


@pytest.mark.parametrize("place", ["none/r.html", "r.json"])
def test_a_report_that_cannot_be_put_is_refused_before_anything_is_done(
    tmp_path: Path, mpigen: Mpigen, place: str
) -> None:
    done = mpigen("bench", "-o", tmp_path, "--report", tmp_path / place)
    assert done.code == 2 and f"--report {tmp_path / place}: " in done.err


def test_a_folder_without_mpi_bench_and_one_host_alone_are_refused(
    tmp_path: Path, mpigen: Mpigen
) -> None:
    two = Hosts("x:latest", {"worker": 2}, {"worker": 1}, {}, known=True)
    for text, hosts, hint in (
        ("name: x\n", two, "image: {bench: true}"),
        (
            "name: x\nimage: {bench: true}\n",
            replace(two, counts={"worker": 1}),
            "mpigen scale worker=2",
        ),
    ):
        (tmp_path / "mpigen.yaml").write_text(text)
        assert mpigen("render", "-c", tmp_path / "mpigen.yaml").code == 0
        made = folder.read(tmp_path / "output")
        with pytest.raises(InputError) as refused:
            measuring.refuse(made, hosts)
        assert hint in refused.value.hint
    measuring.refuse(made, two)


def test_mpi_bench_is_in_the_image_only_where_it_is_asked_for(
    tmp_path: Path, mpigen: Mpigen
) -> None:
    output = tmp_path / "output"
    (tmp_path / "mpigen.yaml").write_text("name: x\n")
    assert mpigen("render", "-c", tmp_path / "mpigen.yaml").code == 0
    assert not list(output.rglob("*mpi-bench*"))
    assert "bench" not in (output / "Dockerfile").read_text()
    (tmp_path / "mpigen.yaml").write_text("name: x\nimage: {bench: true}\n")
    assert mpigen("render", "-c", tmp_path / "mpigen.yaml").code == 0
    found = {path.relative_to(output).as_posix() for path in output.rglob("*mpi-bench*")}
    assert found == {"rootfs/usr/local/bin/mpi-bench", "rootfs/usr/local/src/mpi-bench.c"}
    source = (output / "rootfs/usr/local/src/mpi-bench.c").read_text()
    assert source.startswith("/* mpigen copies this file as it is")


@pytest.mark.parametrize(("mpi", "words_of"), sorted(IMPLEMENTATIONS.items()))
def test_one_rank_a_host_in_the_words_of_each_mpi(
    tmp_path: Path, mpigen: Mpigen, mpi: str, words_of: Implementation
) -> None:
    text = f"name: x\nimage: {{bench: true}}\nmpi: {{implementation: {mpi}}}\n"
    (tmp_path / "mpigen.yaml").write_text(text)
    assert mpigen("render", "-c", tmp_path / "mpigen.yaml").code == 0
    conf = (tmp_path / "output/rootfs/etc/mpi/cluster.conf").read_text()
    assert f"one_rank_per_host = {' '.join(words_of.one_a_host)}\n" in conf


def test_its_stage_begins_as_the_programs_does(tmp_path: Path) -> None:
    """So that compilers are installed once; a site's own block of it is in both."""
    (tmp_path / "app").mkdir()
    (tmp_path / "ca.pem").write_text("x")
    own = """{% extends "builtin/Dockerfile.j2" %}{% block build_base %}
RUN echo a mirror
{% endblock %}"""
    sites.template(tmp_path, "Dockerfile.j2", own)
    text = "name: x\napp: {source: app}\nimage: {bench: true, ca: ca.pem, build_env: {A: b}}\n"
    made = sites.artifacts(tmp_path, text)["Dockerfile"].text
    program, _, bench = made.partition(" AS build\n")[2].partition(" AS bench\n")
    same = bench.partition("COPY rootfs/usr/local/src/mpi-bench.c")[0]
    assert "RUN echo a mirror" in same and "ENV A=b" in same and "apt-get install" in same
    assert program.startswith(same)


def test_its_stage_has_certificates_without_a_program_too(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("x")
    made = sites.artifacts(tmp_path, "name: x\nimage: {bench: true, ca: ca.pem}\n")
    assert made["Dockerfile"].text.count("COPY ca.pem") == 1
    assert '"$site"/ca.pem' in made["scripts/build.sh"].text


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


@pytest.mark.parametrize(
    ("value", "said"),
    [(0, "–"), (0.156, "0.16"), (9.999, "10.00"), (22.81, "22.8"), (402.4, "402"), (1043, "1,043")],
)
def test_figures(value: float, said: str) -> None:
    assert words.short(value) == said


def test_sizes_and_times() -> None:
    assert [words.size(n) for n in (8, 4096, 1 << 20)] == ["8 B", "4 KiB", "1 MiB"]
    assert [words.duration(n) for n in (2.5, 1250, 2e6)] == ["2.50 us", "1.25 ms", "2.00 s"]
