"""The steps that `docker build` prints."""

from mpigen.image.buildlog import BuildLog, shorten


def test_the_steps_of_both_builders() -> None:
    log = BuildLog()
    lines = [
        "Sending build context to Docker daemon  64.5kB",
        "Step 1/3 : FROM debian:trixie-slim AS build",
        " ---> 92112e537e84",
        "#5 [build 2/6] RUN apt-get update   && apt-get install -y " + "x" * 80,
        "#5 0.312 Get:1 http://deb.debian.org",
        "#5 [build 2/6] RUN apt-get update",
        "#5 DONE 3.2s",
    ]
    steps = [step for line in lines if (step := log.take(line))]
    assert steps[0] == "[1/3] FROM debian:trixie-slim AS build"
    assert steps[1].startswith("[build 2/6] RUN apt-get update && apt-get install -y xx")
    assert len(steps) == 2 and len(steps[1]) == 58
    assert log.lines == lines


def test_a_line_of_output_is_shown_without_colours_and_numbers() -> None:
    assert shorten("#7 12.34 Reading   package lists...") == "Reading package lists..."
    log = BuildLog()
    assert log.take("\x1b[91mERROR: no\x1b[0m") is None
    assert log.lines == ["ERROR: no"]
    assert len(shorten("x" * 200)) == 58
