"""What a site's files may be: regular files of a sensible size, inside the site."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.unit.untrusted.confined import mpigen, refused

SECRET = "".join(f"Vm0wd2Qy{line:04}\n" for line in range(40))


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    """A file of somebody else's, which no message may show."""
    folder = tmp_path / "home"
    folder.mkdir()
    (folder / "id").write_text(f"-----BEGIN OPENSSH PRIVATE KEY-----\n{SECRET}")
    return folder / "id"


@pytest.fixture
def site(tmp_path: Path, secret: Path) -> Path:
    assert secret.is_file()
    folder = tmp_path / "site"
    folder.mkdir()
    (folder / "mpigen.yaml").write_text("name: x\n")
    return folder


def shows_nothing(message: str) -> None:
    assert "BEGIN" not in message and "Vm0wd2Qy" not in message


def _link(target: str) -> Callable[[Path], None]:
    return lambda place: place.symlink_to(target)


def _large(place: Path) -> None:
    with place.open("wb") as file:
        file.truncate(200_000_000)


KINDS = [
    pytest.param(_link("../home/id"), "out of the site", id="link"),
    pytest.param(_link("/dev/zero"), "out of the site", id="zero"),
    pytest.param(_link("mpigen.yaml"), "is a broken symlink", id="loop"),
    pytest.param(os.mkfifo, "is not a regular file", id="fifo"),
    pytest.param(Path.mkdir, "is not a regular file", id="folder"),
    pytest.param(_large, "more than", id="large"),
]


@pytest.mark.parametrize(("make", "why"), KINDS)
def test_mpigen_yaml_that_is_no_plain_file_is_refused(
    site: Path, make: Callable[[Path], None], why: str
) -> None:
    (site / "mpigen.yaml").unlink()
    make(site / "mpigen.yaml")
    for words in (["render"], ["validate"], ["render", "--check"], ["keys", "status"]):
        message = refused(site, *words)
        assert why in message and "mpigen.yaml" in message
        shows_nothing(message)


@pytest.mark.parametrize(("make", "why"), KINDS)
@pytest.mark.parametrize("name", ["layer.yaml", "layer.json"])
def test_a_layer_that_is_no_plain_file_is_refused(
    site: Path, make: Callable[[Path], None], why: str, name: str
) -> None:
    make(site / name) if why != "is a broken symlink" else (site / name).symlink_to(name)
    message = refused(site, "validate", "-c", "mpigen.yaml", "-c", name)
    assert why in message and name in message
    shows_nothing(message)


def test_a_folder_of_layers_that_leads_out_of_the_site_is_refused(site: Path, secret: Path) -> None:
    (site / "layers").symlink_to(secret.parent)
    message = refused(site, "validate", "-c", "mpigen.yaml", "-c", "layers/id")
    assert "out of the site" in message
    shows_nothing(message)


def test_links_inside_the_site_and_layers_that_are_named_outside_are_fine(
    site: Path, tmp_path: Path
) -> None:
    (site / "mpigen.yaml").rename(site / "real.yaml")
    (site / "mpigen.yaml").symlink_to("real.yaml")
    (site / "common").mkdir()
    (site / "templates").symlink_to("common")
    (site / "common/a.txt").write_text("a\n")
    (tmp_path / "shared.yaml").write_text("ssh: {port: 2300}\n")
    done = mpigen(site, "render", "-c", "mpigen.yaml", "-c", "../shared.yaml")
    assert done.code == 0, done
    assert (site / "output/a.txt").exists()
    assert "2300" in (site / "output/rootfs/etc/mpi/sshd_config").read_text()


@pytest.mark.parametrize(("make", "why"), KINDS)
def test_a_manifest_that_is_no_plain_file_is_refused(
    site: Path, make: Callable[[Path], None], why: str
) -> None:
    (site / "output").mkdir()
    place = site / "output/manifest.json"
    place.symlink_to("manifest.json") if why == "is a broken symlink" else make(place)
    for words in (["render"], ["render", "--check"], ["validate"], ["templates", "diff"]):
        message = refused(site, *words)
        assert "output/manifest.json" in message
        shows_nothing(message)


@pytest.mark.parametrize(("make", "why"), KINDS)
@pytest.mark.parametrize("name", ["id_ed25519", "id_ed25519.pub"])
def test_a_key_that_is_no_plain_file_is_refused(
    site: Path, make: Callable[[Path], None], why: str, name: str
) -> None:
    assert mpigen(site, "render").code == 0
    place = site / "output/keys" / name
    place.unlink()
    place.symlink_to(name) if why == "is a broken symlink" else make(place)
    for words in (["render"], ["validate"]):
        message = refused(site, *words)
        assert name in message
        shows_nothing(message)
    assert mpigen(site, "keys", "status").code == 1


@pytest.mark.parametrize("name", ["id_ed25519", "ssh_host_ed25519_key"])
def test_keys_of_somebody_else_are_never_taken(site: Path, tmp_path: Path, name: str) -> None:
    """A committed link to a user's own key would put it into the image."""
    other = tmp_path / "other"
    other.mkdir()
    (other / "mpigen.yaml").write_text("name: y\n")
    assert mpigen(other, "render").code == 0
    assert mpigen(site, "render").code == 0
    for half in (name, f"{name}.pub"):
        (site / "output/keys" / half).unlink()
        (site / "output/keys" / half).symlink_to(other / "output/keys" / half)
    assert "out of the site" in refused(site, "validate")
    (site / "output/keys" / f"{name}.pub").unlink()
    assert "out of the site" in refused(site, "validate")


def test_a_folder_of_templates_outside_is_not_read(site: Path, secret: Path) -> None:
    (site / "templates").symlink_to(secret.parent)
    for words in (["validate"], ["templates", "list"], ["templates", "eject", "README.md"]):
        message = refused(site, *words)
        assert "templates" in message and "out of the site" in message
        shows_nothing(message)
    assert sorted(secret.parent.iterdir()) == [secret]


def test_templates_that_are_no_folder_or_too_deep_or_too_many_are_refused(site: Path) -> None:
    (site / "templates").write_text("")
    assert "templates" in refused(site, "validate")
    (site / "templates").unlink()
    os.mkfifo(site / "templates")
    assert "templates" in refused(site, "validate")
    (site / "templates").unlink()
    (site / "templates").mkdir()
    for number in range(5001):
        (site / f"templates/{number}.txt").touch()
    assert "more than" in refused(site, "validate")


def test_templates_nested_deeper_than_paths_can_be_are_refused(site: Path) -> None:
    here = os.getcwd()  # noqa: PTH109
    try:
        os.chdir(site)
        for _ in range(30):
            (folder := Path("templates" if Path.cwd() == site else "d" * 250)).mkdir()
            os.chdir(folder)
        Path("file.txt").touch()
    finally:
        os.chdir(here)
    assert "templates" in refused(site, "validate")


def test_a_program_and_certificates_outside_are_refused(site: Path, secret: Path) -> None:
    (site / "app").symlink_to(secret.parent)
    (site / "ca.pem").symlink_to(secret)
    (site / "mpigen.yaml").write_text("name: x\napp: {source: app}\nimage: {ca: ca.pem}\n")
    message = refused(site, "validate")
    assert message.count("out of the site") == 2
    assert "mpigen.yaml:2:7: app.source" in message and "mpigen.yaml:3:9: image.ca" in message


def test_a_new_site_is_not_written_through_a_link(site: Path, secret: Path) -> None:
    (site / "mpigen.yaml").unlink()
    (site / ".github").symlink_to(secret.parent)
    assert ".github" in refused(site, "init", "--ci", "github")
    assert sorted(secret.parent.iterdir()) == [secret]
    assert [path.name for path in site.iterdir()] == [".github"]


def test_a_large_file_in_an_artifacts_place_is_not_read(site: Path) -> None:
    assert mpigen(site, "render").code == 0
    (site / "output/Dockerfile").unlink()
    _large(site / "output/Dockerfile")
    message = refused(site, "render", "--check")
    assert "output/Dockerfile" in message and "more than" in message
