"""Get a base image: pull it, or if no registry answers, build it from the package mirror."""

import re
import shutil
from pathlib import Path
from typing import NamedTuple

import docker
from docker.errors import ImageNotFound

from mpigen.errors import ClusterError
from mpigen.image import platforms
from mpigen.lab import emulation, machine, tarball
from mpigen.notation import image_names
from mpigen.notation.platforms import architecture
from mpigen.swarm import scratch
from mpigen.swarm.engine import blame
from mpigen.swarm.processes import Say

_DEBIAN = re.compile(
    r"(?:docker\.io/)?(?:library/)?debian:(bookworm|trixie|forky|12|13|14)(-slim)?"
)
_SUITES = {"12": "bookworm", "13": "trixie", "14": "forky"}
# A suite that is not released: a frozen mirror's list of it has expired after a week. apt in the
# image gets the option too.
_TESTING = "forky"

# Files that the official `-slim` images leave out: their /etc/dpkg/dpkg.cfg.d/docker.
_SLIM = (
    "path-exclude=/usr/share/doc/*",
    "path-include=/usr/share/doc/*/copyright",
    "path-exclude=/usr/share/groff/*",
    "path-exclude=/usr/share/info/*",
    "path-exclude=/usr/share/lintian/*",
    "path-exclude=/usr/share/linda/*",
    "path-exclude=/usr/share/locale/*",
    "path-include=/usr/share/locale/locale.alias",
    "path-exclude=/usr/share/man/*",
)
# The official images' /etc/apt/apt.conf.d/docker-clean: no package files stay in a layer.
_DOCKER_CLEAN = """\
DPkg::Post-Invoke { "rm -f /var/cache/apt/archives/*.deb /var/cache/apt/archives/partial/*.deb \
/var/cache/apt/*.bin || true"; };
APT::Update::Post-Invoke { "rm -f /var/cache/apt/archives/*.deb \
/var/cache/apt/archives/partial/*.deb /var/cache/apt/*.bin || true"; };
Dir::Cache::pkgcache "";
Dir::Cache::srcpkgcache "";
"""


def ensure(
    client: docker.DockerClient, ref: str, say: Say, mirror: str = "", platform: str = ""
) -> None:
    """Make sure that the engine has the image `ref`, for a `platform` if given.

    If that is not the engine's own, the image gets a name of its own, which `mpigen build` uses,
    and this machine emulates the platform. `mirror` is the Debian mirror to use if no registry
    answers; "" is Debian's own. Raises ClusterError, with the error of each attempt, if all fail.
    """
    name = ref
    if platform and platform != f"linux/{client.version()['Arch']}":
        emulation.ensure(platform, say)
        name = image_names.add_architecture(ref, architecture(platform))
    with blame(f"looking for {name}"):
        try:
            client.images.get(name)
        except ImageNotFound:
            pass
        else:
            say(f"the engine has {name}")
            return
    say(f"pulling {ref}" + (f" for {platform}" if name != ref else ""))
    try:
        if name != ref:
            platforms.pull_beside(client, ref, platform, name)
        else:
            with blame(f"docker pull {ref}"):
                client.images.pull(ref)
    except ClusterError as pull:
        if parse(ref) is None:
            raise ClusterError(
                pull.message,
                "Load it by hand (docker load -i FILE), or use debian:trixie-slim or"
                " debian:bookworm-slim, which mpigen can make without a registry.",
            ) from pull
        say("no registry answered")
        _attempt_bootstrap(client, _Wanted(ref, name, platform), say, mirror, pull)


def parse(ref: str) -> tuple[str, bool] | None:
    """The suite of a Debian image that can be bootstrapped, and whether it is slim; else None."""
    match = _DEBIAN.fullmatch(ref)
    return (_SUITES.get(match[1], match[1]), bool(match[2])) if match else None


def command(
    suite: str, slim: bool, docker_clean: Path, mirror: str, processor: str = ""
) -> list[str]:
    """The mmdebstrap command that writes a base image's tar to its standard output.

    `processor` is Debian's name of another one than this machine's, which is also Docker's.
    """
    options = [f"--architectures={processor}"] if processor else []
    options += [f"--dpkgopt={line}" for line in _SLIM] if slim else []
    if suite == _TESTING:
        options.append('--aptopt=Acquire::Check-Valid-Until "false"')
    return [
        *["mmdebstrap", "--quiet", "--variant=minbase", "--format=tar", *options],
        f"--customize-hook=upload {docker_clean} /etc/apt/apt.conf.d/docker-clean",
        # 83 MB that its own clean-up misses, since docker-clean sets their paths to ""
        '--customize-hook=rm -f "$1"/var/cache/apt/*.bin',
        # mmdebstrap leaves copies of this machine's own files behind
        '--customize-hook=rm -f "$1/etc/hostname" "$1/etc/resolv.conf"',
        *[suite, "-", *([mirror] if mirror else [])],
    ]


class _Wanted(NamedTuple):
    """A base image: `ref` is Debian's, `name` the engine's, `platform` empty if its own."""

    ref: str
    name: str
    platform: str


def _attempt_bootstrap(
    client: docker.DockerClient, wanted: _Wanted, say: Say, mirror: str, pull: ClusterError
) -> None:
    try:
        _bootstrap(client, wanted, say, mirror)
    except ClusterError as bootstrap:
        platform = f" --platform {wanted.platform}" if wanted.platform else ""
        raise ClusterError(
            f"{wanted.ref} is available neither from a registry nor from a package "
            f"mirror\n{pull.message}\n{bootstrap.message}",
            "Name a package mirror that this machine can reach: "
            f"mpigen lab base {wanted.ref}{platform} --mirror http://MIRROR/debian",
        ) from bootstrap


def _bootstrap(client: docker.DockerClient, wanted: _Wanted, say: Say, mirror: str) -> None:
    parsed = parse(wanted.ref)
    assert parsed is not None
    suite, slim = parsed
    foreign = wanted.name != wanted.ref
    missing = [] if shutil.which("mmdebstrap") else ["mmdebstrap", "debian-archive-keyring"]
    if foreign and not shutil.which("arch-test"):
        missing.append("arch-test")  # with it mmdebstrap sees that this machine emulates another
    if missing:
        # the keyring, because Ubuntu does not have Debian's by default
        machine.install(missing, say)
    processor = architecture(wanted.platform) if foreign else ""
    what = f"Debian {suite}" + (f" for {wanted.platform}" if foreign else "")
    say(f"bootstrapping {what} from {mirror or 'the package mirror'}")
    # the engine's own folder is off limits: the tar (90 MB) is in $TMPDIR for some seconds
    with scratch.folder("base") as place:
        clean = place / "docker-clean"
        clean.write_text(_DOCKER_CLEAN, "utf-8")
        clean.chmod(0o644)
        layer, image = place / "base.tar", place / "image.tar"
        with layer.open("wb") as out:
            words = command(suite, slim, clean, mirror, processor)
            machine.run_as_root(words, "mmdebstrap", out)
        platform = wanted.platform or f"linux/{client.version()['Arch']}"
        tarball.write(layer, image, wanted.name, platform)
        with blame(f"loading {wanted.name}"), image.open("rb") as opened:
            client.images.load(opened)
    say(f"made {wanted.name}")
