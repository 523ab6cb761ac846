"""The steps that `docker build` prints."""

from mpigen.image.buildlog import BuildLog


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
    assert len(steps) == 2 and len(steps[1]) == 70
    assert log.lines == lines
