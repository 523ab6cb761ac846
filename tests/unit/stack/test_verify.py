"""`mpigen verify`: what becomes of the checks' answers. The checks here need no cluster."""

import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

GOOD = "def test_good():\n    assert True\n"
BAD = "def test_bad():\n    assert 1 == 2, 'one is not two'\n"


def verify(output: Path, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "mpigen", "verify", "-o", output, *arguments]
    return subprocess.run(command, capture_output=True, text=True, cwd=output)


@pytest.fixture
def output(tmp_path: Path) -> Path:
    (tmp_path / "verify").mkdir()
    (tmp_path / "verify" / "test_good.py").write_text(GOOD)
    return tmp_path


def test_one_line_a_check(output: Path) -> None:
    done = verify(output)
    assert done.returncode == 0, done.stdout + done.stderr
    lines = [line.split()[:2] for line in done.stdout.splitlines() if "::" in line]
    assert lines == [["verify/test_good.py::test_good", "PASSED"]]


def test_no_check_is_a_failure(output: Path) -> None:
    # none that is chosen, and none at all
    for arguments in (["-k", "nothing_of_that_name"], []):
        done = verify(output, *arguments)
        assert done.returncode == 1, done.stdout
        assert f"error: {output}/verify holds no check that could be run\n" in done.stderr
        (output / "verify" / "test_good.py").unlink(missing_ok=True)


def test_a_report_as_junit_xml(output: Path) -> None:
    (output / "verify" / "test_worse.py").write_text(BAD)
    report = output / "reports" / "junit.xml"
    done = verify(output, "--junit", report)
    assert done.returncode == 1
    assert "error: the cluster is not as it should be" in done.stderr
    (suite,) = ElementTree.parse(report).getroot()
    assert {key: suite.attrib[key] for key in ("name", "tests", "failures", "errors")} == {
        "name": f"mpigen verify {output}",
        "tests": "2",
        "failures": "1",
        "errors": "0",
    }
    failed = {case.attrib["name"]: case.find("failure") for case in suite}
    assert failed["test_good"] is None
    assert failed["test_bad"] is not None
    assert "one is not two" in failed["test_bad"].attrib["message"]


def test_a_folder_in_the_place_of_the_report(output: Path) -> None:
    done = verify(output, "--junit", output)
    assert done.returncode == 2
    assert "is a directory" in done.stderr


def test_what_is_pytests_goes_to_pytest(output: Path) -> None:
    (output / "verify" / "test_worse.py").write_text(BAD)
    report = output / "junit.xml"
    done = verify(output, "--junit", report, "-k", "good", "--durations=1")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 passed, 1 deselected" in done.stdout
    (suite,) = ElementTree.parse(report).getroot()
    assert [case.attrib["name"] for case in suite] == ["test_good"]


def test_a_folder_without_checks_is_an_input_error(tmp_path: Path) -> None:
    done = verify(tmp_path)
    assert done.returncode == 2
    assert done.stderr.endswith("no such folder\nWrite it with mpigen render.\n")
