"""scripts/build.sh: nobody else reads the private keys in the context that it assembles."""

import os
import stat
import subprocess
import threading
import time
from pathlib import Path

import pytest

from tests.conftest import Mpigen

SOURCES = 10_000


@pytest.fixture
def site(tmp_path: Path, mpigen: Mpigen, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "site"
    (folder / "app").mkdir(parents=True)
    (folder / "mpigen.yaml").write_text("name: x\napp: {source: app, build: make}\n")
    for number in range(SOURCES):
        (folder / f"app/{number}.c").touch()
    monkeypatch.chdir(folder)
    assert mpigen("render").code == 0
    return folder


def _is_open(context: Path) -> bool:
    """Whether others can read a private key of the context now."""
    try:
        if context.stat().st_mode & 0o007 == 0 or (context / "keys").stat().st_mode & 0o007 == 0:
            return False
        return any(
            (context / "keys" / name).stat().st_mode & 0o004
            for name in ("id_ed25519", "ssh_host_ed25519_key")
        )
    except OSError:  # not there yet, or no more
        return False


def test_no_key_in_the_context_is_ever_open_to_others(site: Path, tmp_path: Path) -> None:
    (tmp_path / "tmp").mkdir()
    (tmp_path / "bin").mkdir()
    docker = tmp_path / "bin/docker"
    docker.write_text(
        "#!/bin/sh\nfor context; do :; done\n"
        f'ls "$context/app" | wc -l >{tmp_path}/seen\n'
        'cd "$context"\n'
        f"stat -c %a . keys/* app app/1.c >>{tmp_path}/seen\n"
    )
    docker.chmod(0o755)
    opened: list[Path] = []
    done = threading.Event()

    def watch() -> None:
        while not done.is_set():
            opened.extend(each for each in (tmp_path / "tmp").iterdir() if _is_open(each))
            time.sleep(0.005)

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        subprocess.run(
            ["sh", site / "output/scripts/build.sh"],
            env={
                **os.environ,
                "PATH": f"{tmp_path}/bin:/usr/bin:/bin",
                "TMPDIR": f"{tmp_path}/tmp",
            },
            umask=0,
            check=True,
        )
    finally:
        done.set()
        watcher.join()
    # what the image gets does not depend on the umask
    expected = [str(SOURCES), "700", "600", "600", "755", "644"]
    assert (tmp_path / "seen").read_text().split() == expected
    assert not opened
    assert not list((tmp_path / "tmp").iterdir())
    assert stat.S_IMODE((site / "output/keys").stat().st_mode) == 0o700


def test_build_sh_builds_for_each_platform_or_the_named_one(
    tmp_path: Path, mpigen: Mpigen, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = tmp_path / "two"
    site.mkdir()
    image = "{base: 'debian:trixie-slim', platforms: [linux/amd64, linux/arm64]}"
    groups = "[{}, {name: big, packages: [bc]}]"
    (site / "mpigen.yaml").write_text(f"name: x\nimage: {image}\nworkers: {groups}\n")
    assert mpigen("render", "-c", site / "mpigen.yaml").code == 0
    (tmp_path / "bin").mkdir()
    docker = tmp_path / "bin/docker"
    # of the base images, this engine has the one for arm64 under a name of its own
    docker.write_text(
        '#!/bin/sh\ncase $* in "image inspect debian:trixie-slim.arm64") exit 0 ;;\n'
        f'image*) exit 1 ;; esac\necho "$*" >>{tmp_path}/seen\n'
    )
    docker.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")

    def built(platform: str) -> list[tuple[str, str, str]]:
        (tmp_path / "seen").unlink(missing_ok=True)
        script = ["sh", str(site / "output/scripts/build.sh")]
        subprocess.run(script, env={**os.environ, "PLATFORM": platform}, check=True)
        lines = [line.split() for line in (tmp_path / "seen").read_text().splitlines()]
        return [
            tuple(line[line.index(word) + 1] for word in ("--platform", "--build-arg", "--tag"))  # type: ignore[misc]
            for line in lines
        ]

    arm = [
        ("linux/arm64", "BASE=debian:trixie-slim.arm64", "x:latest.arm64"),
        ("linux/arm64", "BASE=debian:trixie-slim.arm64", "x:latest-big.arm64"),
    ]
    assert built("linux/arm64") == arm
    amd = [
        ("linux/amd64", "BASE=debian:trixie-slim", "x:latest.amd64"),
        ("linux/amd64", "BASE=debian:trixie-slim", "x:latest-big.amd64"),
    ]
    assert built("") == [*amd, *arm]
    done = subprocess.run(
        ["sh", site / "output/scripts/build.sh"],
        env={**os.environ, "PLATFORM": "linux/arm"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2
    assert "PLATFORM is linux/arm, and not in image.platforms: linux/amd64, linux/arm64" in (
        done.stderr
    )
