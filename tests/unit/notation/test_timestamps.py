"""Docker's timestamps."""

from datetime import UTC, datetime

import pytest

from mpigen.notation.timestamps import parse_timestamp


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-01-02T03:04:05.123456789Z", datetime(2026, 1, 2, 3, 4, 5, 123456, UTC)),
        ("2026-01-02T03:04:05Z", datetime(2026, 1, 2, 3, 4, 5, 0, UTC)),
    ],
)
def test_moments_of_docker(text: str, moment: datetime) -> None:
    assert parse_timestamp(text) == moment
