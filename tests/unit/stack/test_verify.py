"""`mpigen verify`: what becomes of the checks' answers. The checks here need no cluster."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.conftest import Mpigen

GOOD = "def test_good():\n    assert True\n"
BAD = "def test_bad():\n    assert 1 == 2, 'one is not two'\n"


def verify(output: Path, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "mpigen", "verify", "-o", output, *arguments]
    # what pytest was told for this run is not for the checks
    env = {name: value for name, value in os.environ.items() if name != "PYTEST_ADDOPTS"}
    return subprocess.run(command, capture_output=True, text=True, cwd=output, env=env)


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
        assert f"error: {output}/verify contains no check that could be run\n" in done.stderr
        (output / "verify" / "test_good.py").unlink(missing_ok=True)


def test_a_report_as_junit_xml(output: Path) -> None:
    (output / "verify" / "test_worse.py").write_text(BAD)
    report = output / "reports" / "junit.xml"
    done = verify(output, "--junit", report)
    assert done.returncode == 1
    assert "error: checks of the cluster failed" in done.stderr
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


def test_the_reason_comes_with_the_word(output: Path) -> None:
    (output / "verify" / "test_a_bad_one.py").write_text(BAD)
    (output / "verify" / "test_zz_slow.py").write_text(
        "import time\ndef test_slow():\n    time.sleep(600)\n"
    )
    command = [sys.executable, "-m", "mpigen", "verify", "-o", output]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=output
    ) as running:
        assert running.stdout
        said = ""
        # while the last check still runs
        while "one is not two" not in said:
            line = running.stdout.readline()
            assert line, said
            said += line
        assert "test_bad FAILED" in said
        time.sleep(1)
        running.send_signal(signal.SIGINT)
        said, wrong = running.communicate(timeout=60)
    assert running.returncode == 130, wrong
    assert "interrupted: 1 passed, 1 failed, 1 not finished" in said
    assert "failed: test_a_bad_one.py::test_bad" in said
    assert "Traceback" not in wrong


def test_a_reason_is_printed_once(output: Path) -> None:
    (output / "verify" / "test_worse.py").write_text(BAD)
    done = verify(output)
    assert done.returncode == 1
    assert done.stdout.count("def test_bad():") == 0
    assert done.stdout.count("E   AssertionError: one is not two") == 1


def test_checks_that_are_all_skipped_have_failed(output: Path) -> None:
    (output / "verify" / "test_good.py").write_text(
        "import pytest\n@pytest.mark.skip\ndef test_skipped():\n    pass\n"
    )
    done = verify(output)
    assert done.returncode == 1, done.stdout
    assert "contains no check that could be run" in done.stderr
    assert verify(output, "--collect-only").returncode == 0


def test_a_rendered_folder_without_an_engine_is_told_in_one_sentence(
    tmp_path: Path, mpigen: Mpigen, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "mpigen.yaml").write_text("name: x\n")
    assert mpigen("render", "-c", tmp_path / "mpigen.yaml").code == 0
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/none.sock")
    done = mpigen("verify", "-o", tmp_path / "output")
    assert done.code == 3
    assert done.out == ""
    assert done.err.startswith(
        f"error: no Docker engine answers at unix://{tmp_path}/none.sock (DOCKER_HOST): "
        "No such file or directory\n"
    )


def test_a_folder_without_checks_is_an_input_error(tmp_path: Path) -> None:
    done = verify(tmp_path)
    assert done.returncode == 2
    assert done.stderr.endswith("no such folder\nWrite it with mpigen render.\n")
