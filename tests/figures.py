"""Figures that tests measure, for the end of the run: conftest.py prints them."""

FOUND: list[str] = []


def figure(line: str) -> None:
    """Have a measured figure printed at the end of the run, whether the test passes or not."""
    FOUND.append(line)
