"""Layered files: later ones over earlier, every error still at its own place."""

from pathlib import Path

import pytest

from mpigen.config.load import load
from mpigen.errors import InputError
from tests.conftest import Mpigen

BASE = """\
name: lab
image:
  packages: [hwloc, nano]
workers:
  - name: cpu
    replicas: 4
network:
  mtu: 1500
"""


def layers(folder: Path, *texts: str) -> list[Path]:
    files = [folder / f"{index}.yaml" for index in range(len(texts))]
    for file, text in zip(files, texts, strict=True):
        file.write_text(text, encoding="utf-8")
    return files


def refusal(folder: Path, *texts: str) -> list[str]:
    with pytest.raises(InputError) as caught:
        load(*layers(folder, *texts))
    return caught.value.message.replace(f"{folder}/", "").splitlines()


def test_mappings_are_merged_and_all_else_is_replaced(tmp_path: Path) -> None:
    upper = "network: {subnet: 10.9.0.0/24}\nimage: {packages: [vim]}\nworkers: [{replicas: 2}]\n"
    config = load(*layers(tmp_path, BASE, upper))
    assert (config.name, config.network.mtu, str(config.network.subnet)) == (
        *("lab", 1500),
        "10.9.0.0/24",
    )
    assert config.image.packages == ["vim"]
    assert [(group.name, group.replicas) for group in config.workers] == [("worker", 2)]


def test_a_list_says_that_it_goes_behind(tmp_path: Path) -> None:
    upper = "image:\n  packages: !append [vim]\nworkers: !append\n  - {name: gpu}\n"
    config = load(*layers(tmp_path, BASE, upper))
    assert config.image.packages == ["hwloc", "nano", "vim"]
    assert [group.name for group in config.workers] == ["cpu", "gpu"]
    # with nothing below it, it is the list
    assert load(*layers(tmp_path, "name: x", upper)).image.packages == ["vim"]


def test_each_error_names_its_own_file_and_line(tmp_path: Path) -> None:
    production = "workers: !append\n  - name: gpu\n    slots: 0\nnetwork:\n  mtu: 10\n"
    staging = "image:\n  packages: !append\n    - vim\n    - Nano\ntypo: 1\n"
    assert [line.rpartition(": ")[0] or line for line in refusal(tmp_path, BASE, production)] == [
        "1.yaml:3:5: workers[1].slots: 0 is too small",
        "1.yaml:5:3: network.mtu: 10 is too small",
    ]
    places = [line.split(": ")[:2] for line in refusal(tmp_path, "nam: x\n" + BASE, staging)]
    assert places == [
        ["0.yaml:1:1", "nam"],
        ["1.yaml:4:7", "image.packages[3]"],
        ["1.yaml:5:1", "typo"],
    ]


def test_a_conflict_between_layers_is_where_the_upper_one_says_it(tmp_path: Path) -> None:
    (line,) = refusal(tmp_path, BASE, "network:\n  subnet: 10.0.0.0/29\n")
    assert line.startswith("1.yaml:2:3: network.subnet: 10.0.0.0/29 has 6 addresses")
    (line,) = refusal(
        tmp_path, "network: {subnet: 10.0.0.0/29}\nname: x\n", "workers: [{replicas: 9}]"
    )
    assert line.startswith("0.yaml:1:11: network.subnet")


def test_a_key_twice_in_one_file_is_an_error_and_in_two_files_is_none(tmp_path: Path) -> None:
    (line,) = refusal(tmp_path, BASE, "name: a\nname: b\n")
    assert line == "1.yaml:2:1: name: this key is defined twice, first on line 1"
    assert load(*layers(tmp_path, BASE, "name: a\n")).name == "a"


def test_an_empty_layer_changes_nothing(tmp_path: Path) -> None:
    base, empty = layers(tmp_path, BASE, "# nothing yet\n")
    assert load(base, empty) == load(empty, base) == load(base)


@pytest.mark.parametrize("text", ["name: !append x", "image: !append {tag: x}"])
def test_only_lists_can_be_appended(tmp_path: Path, text: str) -> None:
    (line,) = refusal(tmp_path, BASE, text)
    assert line.startswith("1.yaml:1:") and "!append is for lists" in line


def test_the_first_file_says_where_the_site_is(mpigen: Mpigen, tmp_path: Path) -> None:
    (tmp_path / "site" / "app").mkdir(parents=True)
    (tmp_path / "other").mkdir()
    (tmp_path / "site" / "mpigen.yaml").write_text(BASE + "app: {source: app}\n")
    (tmp_path / "other" / "production.yaml").write_text("name: prod\n")
    base, upper = tmp_path / "site" / "mpigen.yaml", tmp_path / "other" / "production.yaml"
    done = mpigen("render", "-c", base, "-c", upper)
    assert done.code == 0, done.err
    assert "stack.yml prod" in (tmp_path / "site/output/stack.yml").read_text()
    assert not (tmp_path / "other" / "output").exists()
