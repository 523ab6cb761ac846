"""Line charts over message size: values to SVG coordinates, both axes logarithmic."""

import math
from dataclasses import dataclass

from mpigen.bench import words

WIDTH, HEIGHT = 600, 290
# the edges of the plot within the picture, in pixels
_LEFT, _RIGHT, _TOP, _BOTTOM = 100, 576, 14, 256


@dataclass(frozen=True)
class Series:
    """A line's name, and the (bytes, microseconds) of its points."""

    name: str
    points: tuple[tuple[int, float], ...]


@dataclass(frozen=True)
class Tick:
    """A position on an axis, in pixels, and its label."""

    at: float
    text: str


@dataclass(frozen=True)
class Dot:
    """A point of a line, in pixels, and its tooltip."""

    x: float
    y: float
    title: str


@dataclass(frozen=True)
class Line:
    """A line of a chart."""

    name: str
    dots: tuple[Dot, ...]

    @property
    def path(self) -> str:
        """The `points` of an SVG polyline."""
        return " ".join(f"{dot.x:.1f},{dot.y:.1f}" for dot in self.dots)


@dataclass(frozen=True)
class Chart:
    """A chart in pixels, without the legend."""

    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]
    lines: tuple[Line, ...]
    left: int = _LEFT
    right: int = _RIGHT
    top: int = _TOP
    bottom: int = _BOTTOM
    width: int = WIDTH
    height: int = HEIGHT


def chart(series: list[Series]) -> Chart | None:
    """Return the chart of `series`, or None if there are no points."""
    sizes = sorted({size for each in series for size, _ in each.points})
    times = [us for each in series for _, us in each.points if us > 0]
    if not times:
        return None
    low = math.floor(math.log10(min(times)))
    high = max(low + 1, math.ceil(math.log10(max(times))))
    first, last = math.log2(sizes[0]), max(math.log2(sizes[-1]), math.log2(sizes[0]) + 1)

    def x(size: float) -> float:
        return _LEFT + (math.log2(size) - first) / (last - first) * (_RIGHT - _LEFT)

    def y(us: float) -> float:
        return _BOTTOM - (math.log10(us) - low) / (high - low) * (_BOTTOM - _TOP)

    drawn = [
        tuple(
            Dot(x(size), y(us), f"{each.name}, {words.size(size)}: {words.duration(us)}")
            for size, us in each.points
            if us > 0
        )
        for each in series
    ]
    return Chart(
        tuple(Tick(x(size), words.size(size)) for size in sizes),
        tuple(
            Tick(y(10.0**power), words.duration(10.0**power) if power < 0 else f"{10**power:,} µs")
            for power in range(low, high + 1)
        ),
        tuple(Line(each.name, dots) for each, dots in zip(series, drawn, strict=True)),
    )
