"""Timestamps in the answers of Docker's API."""

from datetime import datetime


def parse_timestamp(text: str) -> datetime:
    """A time as Docker writes it, to the microsecond: RFC 3339 in UTC, with up to 9 decimals."""
    return datetime.fromisoformat(text)
