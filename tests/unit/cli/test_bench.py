"""`mpigen bench`: results shown again, and what is refused."""

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

from mpigen.artifacts import folder
from mpigen.bench import measure as measuring
from mpigen.bench import results
from mpigen.errors import InputError
from mpigen.job.hosts import Hosts
from tests import benches
from tests.conftest import Mpigen

MADE = benches.results(["node-1", "node-1", "node-2", "node-3"])


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
    shown = re.sub(r"<[^>]+>", "", (tmp_path / "r.html").read_text())
    assert "w-1 – w-4: could not be measured" in shown


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
