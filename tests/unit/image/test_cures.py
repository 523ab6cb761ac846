"""What a failed build says about its known reasons."""

from pathlib import Path

import pytest

from mpigen.artifacts import folder
from mpigen.image import cures


@pytest.mark.parametrize(
    ("line", "cure"),
    [
        ("make: *** No rule to make target 'install'.  Stop.", "app/Makefile has no target instal"),
        ("make: *** No targets specified and no makefile found.  Stop.", "app.build"),
        ("app.build put no program into /opt/app/bin", "into $BINDIR, which is /opt/app/bin"),
        (
            "Could not fetch URL https://pypi.org/simple/mpi4py/: There was a problem confirming "
            "the ssl certificate: [SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: "
            "self-signed certificate in certificate chain (_ssl.c:1029)",
            "image.ca",
        ),
        (
            "fatal: unable to access 'https://x/': server certificate verification failed. CAfile",
            "image.ca",
        ),
        ("x509: certificate signed by unknown authority", "restart its Docker"),
        ("E: Unable to locate package libnope-dev", "libnope-dev is not a package of image.base"),
        ("E: Package 'nope' has no installation candidate", "nope is not a package of image.base"),
        ("W: Failed to fetch http://deb.debian.org/x  Temporary failure resolving", "apt_mirror"),
        ("Failed to establish a new connection: [Errno -3] Temporary failure in name", "PIP_INDEX"),
        ("curl: (6) Could not resolve host: example.org", "~/.docker/config.json"),
        ("ERROR: No matching distribution found for nope==1", "pip finds no nope==1"),
        ("ERROR: No matching distribution found for mpich==9.9", "choose another mpi.version"),
        ("ERROR: THESE PACKAGES HASHES DO NOT MATCH THE REQUIREMENTS FILE. If", "gives another"),
        ("mpigen: image.base lacks: ip /usr/sbin/sshd", "has no ip /usr/sbin/sshd: install it"),
        ("/bin/sh: 1: cmake: not found", "no program cmake"),
        ("make: gfortran: No such file or directory", "no program gfortran"),
        ("a.c:1:10: fatal error: fftw3.h: No such file or directory", "lacks fftw3.h"),
        ("/usr/bin/ld: cannot find -lfftw3: No such file or directory", "cannot find -lfftw3"),
        ('  Could not find a package configuration file provided by "HDF5" with any of', "HDF5"),
        ("cp: write error: No space left on device", "docker system df"),
        # apt-get update only warns, and then knows no package
        (
            "W: Failed to fetch http://deb.debian.org/x  Temporary failure resolving 'x'\n"
            "E: Unable to locate package g++",
            "image.apt_mirror",
        ),
        # what pip says last is not the reason
        (
            "SSLError(SSLCertVerificationError: certificate verify failed)\n"
            "ERROR: No matching distribution found for mpi4py",
            "image.ca",
        ),
    ],
)
def test_a_known_reason_has_its_cure(site_with_program: Path, line: str, cure: str) -> None:
    artifacts = folder.read(site_with_program / "output")
    lines = ["Step 1/2 : FROM debian:trixie-slim", *line.splitlines(), "The command returned 1"]
    (found,) = cures.find(lines, artifacts)
    assert cure in found


def test_what_is_not_known_is_not_guessed(site_with_program: Path) -> None:
    artifacts = folder.read(site_with_program / "output")
    assert (
        cures.find(["hello.c:1:1: error: expected ';'", "make: *** [hello] Error 1"], artifacts)
        == []
    )
