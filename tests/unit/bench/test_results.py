"""The results of a bench as a file, what has changed between two, and the page made of them."""

import json
from pathlib import Path

import pytest

from mpigen.bench import results
from tests import benches
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
        assert done.code == 2 and "contains no results of a bench" in done.err
    assert not (tmp_path / "r.html").exists()
    assert mpigen("bench", tmp_path / "none.json", "--report", tmp_path / "r.html").code == 2
