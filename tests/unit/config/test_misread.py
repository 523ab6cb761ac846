"""What YAML reads otherwise than its author: numbers, keys without a value, letters."""

from pathlib import Path

import pytest

from tests import sites


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("workers: [replicas: 012]", "2:21: workers[0].replicas: YAML reads 012 as the number 10:"),
        ("workers: [cpus: 1:30]", "2:17: workers[0].cpus: YAML reads 1:30 as the number 90: write"),
        ("ssh: {port: 02222}", "2:13: ssh.port: YAML reads 02222 as the number 1170: leave out"),
        ("mpi: {params: {a: 01}}", "2:19: mpi.params.a: YAML reads 01 as the number 1: leave"),
        ("workers: [stack: {environment: {A: 1:00:00}}]",
         "2:36: workers[0].stack.environment.A: YAML reads 1:00:00 as the number 3600: write"),
        ("workers: [stack: {environment: {A: 0777}}]",
         "2:36: workers[0].stack.environment.A: YAML reads 0777 as the number 511: leave"),
        ("launcher:", "2:1: launcher: is empty: give it a value, or leave the key out"),
        ("app:", "2:1: app: is empty: give it a value, or leave the key out"),
        ("ssh:", "2:1: ssh: is empty: give it a value, or leave the key out"),
        ("workers: [memory: ]", "2:11: workers[0].memory: is empty: give it a value, or leave"),
        ("workers: [replicas: '08']",
         "2:11: workers[0].replicas: must be a whole number, not the text '08': write 8, without"),
        ("n\u0430me: y", "2:1: n\u0430me: unknown key (\u0430 is CYRILLIC SMALL LETTER A);"),
        ("a: !ENV x", "2:4: not valid YAML: the tag !ENV is not supported"),
        ("...\nssh: {}", "3:1: not valid YAML: the mapping above ends here, and this is not"),
    ],
)  # fmt: skip
def test_it_is_refused_where_it_is_with_a_way_out(tmp_path: Path, text: str, told: str) -> None:
    (line,) = sites.refusal(tmp_path, f"name: x\n{text}\n")
    assert line.startswith(told)


@pytest.mark.parametrize(
    "text",
    [
        "launcher: {}",
        "launcher: null",
        "workers: [memory: ~]",
        "workers: [replicas: 0x10]",
        "mpi: {params: {a: '01', b: '1:30'}}",
        "stack: {volumes: {scratch: }}",
        "stack: {secrets: {s: {external: true}}}\n"
        "workers: [stack: {secrets: [{source: s, mode: 0400}]}]",
    ],
)
def test_what_is_meant_so_is_taken(tmp_path: Path, text: str) -> None:
    sites.config(tmp_path, f"name: x\n{text}\n")
