"""Tables that a run of tests writes into the documents, between two comments."""

import subprocess
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

ROOT = Path(__file__).parents[1]
_END = "<!-- end -->\n"


def write(file: Path, target: str, lines: Sequence[str]) -> None:
    """Put `lines` where `file` has those of an earlier `make TARGET`."""
    begin = f"<!-- written by make {target} -->\n"
    before, found, rest = file.read_text("utf-8").partition(begin)
    assert found and _END in rest, f"{file} has no place for what make {target} writes"
    after = rest.partition(_END)[2]
    file.write_text(
        "".join([before, begin, *(f"{line}\n" for line in lines), _END, after]), "utf-8"
    )


def when() -> str:
    """Today's date and the commit, as documents name a run."""
    commit = subprocess.run(
        ["git", "-C", str(ROOT), "rev-parse", "--short", "HEAD"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()
    return f"{datetime.now(UTC):%Y-%m-%d}, commit {commit}"
