"""Which part of a log is wanted, in the words of `docker logs`."""

from datetime import UTC, datetime

import pytest

from mpigen.errors import InputError
from mpigen.job import excerpt
from tests.conftest import Mpigen

NOW = datetime(2026, 11, 30, 8, tzinfo=UTC).timestamp()


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("10m", NOW - 600),
        ("1h30m", NOW - 5400),
        ("1.5s", NOW - 1.5),
        ("2026-11-30T07:00:00Z", NOW - 3600),
        ("2026-11-30T09:00:00.5+01:00", NOW + 0.5),
        ("1700000000.25", 1700000000.25),
    ],
)
def test_since_takes_times_and_durations(text: str, seconds: float) -> None:
    assert float(excerpt.parse("all", text, False, NOW).since) == pytest.approx(seconds)


def test_the_options_are_dockers() -> None:
    wanted = excerpt.parse("5", "17.5", True, NOW)
    assert wanted.options == ["--since", "17.5", "--tail", "5", "--timestamps"]
    assert excerpt.parse("all", "", False, NOW).options == []


def test_what_is_wrong_is_reported_at_once() -> None:
    with pytest.raises(InputError) as error:
        excerpt.parse("-5", "yesterday", False, NOW)
    assert "--tail -5: this is neither a number of lines" in error.value.message
    assert "--since yesterday: this is not a time" in error.value.message


def test_a_lines_time_is_exact_to_the_nanosecond() -> None:
    line = "2026-11-30T08:00:00.123456789Z a b"
    assert excerpt.has_time(line) and not excerpt.has_time("a 2026-11-30T08:00:00Z")
    assert excerpt.at(line) == f"{int(NOW)}.123456789"
    assert excerpt.after("2026-11-30T08:00:00.999999999Z") == f"{int(NOW) + 1}.000000000"


def test_mpigen_logs_refuses_before_it_asks_docker(mpigen: Mpigen) -> None:
    done = mpigen("logs", "x", "--context", "nowhere", "--tail", "five")
    assert (done.code, "nowhere" in done.err) == (2, False)
    assert "--tail five: this is neither a number of lines" in done.err
