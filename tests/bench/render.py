"""How fast mpigen renders: many sites in one process, and one site in a process of its own.

    .venv/bin/python tests/bench/render.py [SITES]

Prints sites a second and peak memory for sites without and with an override, and the time of one
whole `mpigen render`.
"""

import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from mpigen import site

OVERRIDE = """\
{% extends "builtin/Dockerfile.j2" %}
{% block footer %}
# site {{ cluster.name }}
{% endblock %}
"""


def make(folder: Path, count: int, override: bool) -> list[Path]:
    """`count` sites that differ, each with its keys."""
    configs = []
    for index in range(count):
        own = folder / f"site-{index}"
        (own / "app").mkdir(parents=True)
        config = own / "mpigen.yaml"
        config.write_text(
            f"name: site-{index}\napp: {{source: app, check: hello}}\n"
            f"workers: [{{name: cpu, replicas: {index % 50 + 1}, slots: 2, memory: 1g}}]\n"
        )
        if override:
            (own / "templates").mkdir()
            (own / "templates" / "Dockerfile.j2").write_text(OVERRIDE)
        configs.append(config)
    keys = site.render_site(site.at([configs[0]], None)).files
    for config in configs:
        (config.parent / "output/keys").mkdir(parents=True)
        for path in ("keys/id_ed25519.pub", "keys/ssh_host_ed25519_key.pub"):
            (config.parent / "output" / path).write_text(keys[path].text)
    return configs


def peak() -> float:
    """Peak memory of this process in MiB: getrusage(2) gives KiB on Linux."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def many(count: int, override: bool) -> None:
    """Print how fast `count` sites are rendered in this process, and what memory that takes."""
    with tempfile.TemporaryDirectory() as folder:
        configs = make(Path(folder), count, override)
        tenth = max(1, count // 10)
        started = time.perf_counter()
        for index, config in enumerate(configs):
            site.render_site(site.at([config], None))
            if index + 1 == tenth:
                early = peak()
        seconds = time.perf_counter() - started
    what = "with an override" if override else "plain"
    print(
        f"{count} sites, {what}: {count / seconds:.0f} a second; "
        f"peak memory {early:.1f} MiB after {tenth}, {peak():.1f} MiB after all"
    )


def alone(runs: int = 15) -> None:
    """Print the time of whole `mpigen render` processes."""
    with tempfile.TemporaryDirectory() as folder:
        (config,) = make(Path(folder), 1, override=False)
        times = []
        for _ in range(runs):
            started = time.perf_counter()
            command = [sys.executable, "-m", "mpigen", "render", "-c", str(config), "--force"]
            subprocess.run(command, check=True, capture_output=True)
            times.append(time.perf_counter() - started)
    print(
        f"mpigen render, whole process: median {statistics.median(times):.2f} s "
        f"({min(times):.2f} to {max(times):.2f}, {runs} runs)"
    )


if __name__ == "__main__":
    sites = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    many(sites, override=False)
    many(sites, override=True)
    alone()
