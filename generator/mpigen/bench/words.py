"""Figures for people: three significant digits, no exponent."""


def short(value: float) -> str:
    """Format a measured figure: 1,043 or 402 or 22.8 or 1.25; a dash if nothing was measured."""
    if not value:
        return "–"
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def size(count: int) -> str:
    """Format the bytes of a message: 8 B, 4 KiB, 1 MiB."""
    for power, unit in ((1024**2, "MiB"), (1024, "KiB")):
        if count >= power:
            return f"{count / power:g} {unit}"
    return f"{count} B"


def duration(us: float) -> str:
    """Format a time, always in microseconds, so that times compare at a glance: 1,250 µs."""
    return f"{short(us)} µs"


def percent(part: float) -> str:
    """Format a part of 1: 1.2 %, 86 %."""
    value = part * 100
    return f"{value:.0f} %" if value >= 10 else f"{value:.1f} %"
