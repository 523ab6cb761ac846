"""Figures, sizes and times as people read them."""

import pytest

from mpigen.bench import words


@pytest.mark.parametrize(
    ("value", "said"),
    [(0, "–"), (0.156, "0.16"), (9.999, "10.00"), (22.81, "22.8"), (402.4, "402"), (1043, "1,043")],
)
def test_figures(value: float, said: str) -> None:
    assert words.short(value) == said


def test_sizes_and_times() -> None:
    assert [words.size(n) for n in (8, 4096, 1 << 20)] == ["8 B", "4 KiB", "1 MiB"]
    assert [words.duration(n) for n in (2.5, 1250, 2e6)] == [
        "2.50 µs",
        "1,250 µs",
        "2,000,000 µs",
    ]
    assert [words.percent(n) for n in (0.012, 0.09, 0.86)] == ["1.2 %", "9.0 %", "86 %"]
