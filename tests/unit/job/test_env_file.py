"""Files of variables in docker's format."""

from pathlib import Path

import pytest

from mpigen.errors import InputError
from mpigen.job import env_file


def test_lines_are_read_as_docker_reads_them(tmp_path: Path) -> None:
    file = tmp_path / "env"
    file.write_bytes(
        b'\xef\xbb\xbfA=1\r\n\n # comment\n  B= "x=y" # no comment \nHERE\nNOT_HERE\nC=\xc3\xa9'
    )
    read = env_file.read([file], {"HERE": "value"})
    assert read == ("A=1", 'B= "x=y" # no comment ', "HERE=value", "C=é")


def test_every_problem_is_reported_at_its_line(tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    one.write_text("A=1\n  1B=2\nexport C=3\n")
    two.write_text("=x\n")
    with pytest.raises(InputError) as caught:
        env_file.read([one, two], {})
    assert [(fault.file, fault.line, fault.column) for fault in caught.value.faults] == [
        (str(one), 2, 3),
        (str(one), 3, 1),
        (str(two), 1, 1),
    ]


@pytest.mark.parametrize("content", [None, b"A=1\n\xff=2\n"])
def test_what_cannot_be_read_is_refused(tmp_path: Path, content: bytes | None) -> None:
    file = tmp_path / "env"
    if content:
        file.write_bytes(content)
    with pytest.raises(InputError, match=f"{file}:2:1: not UTF-8" if content else "no such file"):
        env_file.read([file], {})
