"""What `mpigen render` is compared with: copier and hpccm, each in an environment of its own.

copier gets the very texts that mpigen renders, with a name to fill in; hpccm, which writes one
Dockerfile at a time, writes as many in one process, by its Python interface.
"""

import os
import resource
import shutil
import subprocess
import sys
import time
import venv
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
RECIPE = """\
Stage0 += baseimage(image='debian:trixie-slim')
Stage0 += apt_get(ospackages=['openmpi-bin', 'openssh-client', 'openssh-server'])
Stage0 += shell(commands=['useradd mpi'])
"""
MANY = """\
import pathlib, sys
import hpccm
from hpccm.recipe import recipe
hpccm.config.set_container_format("docker")
for number in range(int(sys.argv[3])):
    pathlib.Path(sys.argv[2], f"{number}.Dockerfile").write_text(str(recipe(sys.argv[1])))
"""


@dataclass(frozen=True)
class Side:
    """A program that writes files: its command, what makes its folder ready, and the folder."""

    name: str
    command: tuple[str, ...]
    prepare: Callable[[], None]
    folder: Path


@dataclass(frozen=True)
class Took:
    """One run: seconds by the clock, and of processor time."""

    seconds: float
    processor: float


def run(side: Side) -> Took:
    """A whole process of that side. Raises CalledProcessError where it fails.

    Each may keep its bytecode, as on a user's machine, whatever is set on this one.
    """
    side.prepare()
    env = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run(side.command, check=True, capture_output=True, env=env)
    seconds = time.perf_counter() - began
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    spent = after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime
    return Took(seconds, spent)


def files(folder: Path) -> list[Path]:
    """Every file in `folder`, but keys."""
    found = (path for path in folder.rglob("*") if path.is_file())
    return sorted(path for path in found if path.relative_to(folder).parts[0] != "keys")


def environment(package: str) -> tuple[Path, str]:
    """The `bin` folder of an environment that has `package` from PyPI, and its version there."""
    folder = ROOT / ".venv" / "bench" / package
    if not (folder / "bin" / package).exists():
        print(f"making an environment with {package}", file=sys.stderr)
        venv.create(folder, clear=True, with_pip=True)
        install = [folder / "bin" / "pip", "install", "--quiet", package]
        subprocess.run(install, check=True, stderr=subprocess.DEVNULL)
    asks = f"import importlib.metadata; print(importlib.metadata.version({package!r}))"
    python = folder / "bin" / "python"
    done = subprocess.run([python, "-c", asks], check=True, capture_output=True, text=True)
    return folder / "bin", done.stdout.strip()


def mpigen(config: Path) -> Side:
    """mpigen, which writes all but the keys anew."""
    output = config.parent / "output"

    def prepare() -> None:
        for path in output.iterdir() if output.exists() else ():
            if path.name == "keys":
                continue
            shutil.rmtree(path) if path.is_dir() else path.unlink()

    program = str(Path(sys.executable).parent / "mpigen")
    return Side("mpigen", (program, "render", "-c", str(config)), prepare, output)


def copier(scratch: Path, texts: dict[str, str]) -> Side:
    """copier, which writes `texts`, each with a name in it."""
    bin_folder, version = environment("copier")
    template, made = scratch / "copier", scratch / "copier-made"
    for path, text in texts.items():
        target = template / f"{path}.jinja"
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(f"{{% raw %}}{text}{{% endraw %}}# {{{{ name }}}}\n", encoding="utf-8")
    (template / "copier.yml").write_text("name: {type: str, default: mpi}\n", encoding="utf-8")
    words = ("copy", "--defaults", "--quiet", str(template), str(made))
    return Side(
        f"copier {version}",
        (str(bin_folder / "copier"), *words),
        lambda: shutil.rmtree(made, ignore_errors=True),
        made,
    )


def hpccm(scratch: Path, count: int) -> Side:
    """hpccm, which writes `count` Dockerfiles."""
    bin_folder, version = environment("hpccm")
    made, recipe, program = scratch / "hpccm-made", scratch / "recipe.py", scratch / "many.py"
    recipe.write_text(RECIPE, encoding="utf-8")
    program.write_text(MANY, encoding="utf-8")

    def prepare() -> None:
        shutil.rmtree(made, ignore_errors=True)
        made.mkdir()

    words = (str(program), str(recipe), str(made), str(count))
    return Side(f"hpccm {version}", (str(bin_folder / "python"), *words), prepare, made)
