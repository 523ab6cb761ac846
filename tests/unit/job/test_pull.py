"""Files from hosts: by the very script that a host runs, and what no host may do."""

import hashlib
import io
import os
import subprocess
import tarfile
from pathlib import Path

import pytest

from mpigen.errors import ClusterError, InputError
from mpigen.job import arrival, gather, landing
from mpigen.job.arrival import Arrived, Delivery


def host(folder: Path) -> Path:
    """The files of a host."""
    for name, content in (
        ("result.csv", b"1,2\n"),
        ("out/a b", b"spaces"),
        ("out/-x", b""),
        ("out/deep/$(touch gone)", b"9"),
        ("out/.hidden", b"h"),
        (".dot", b"d"),
    ):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    (folder / "result.csv").chmod(0o4750)
    (folder / "out/linked").symlink_to(folder / "result.csv")
    (folder / "out/broken").symlink_to("nowhere")
    os.mkfifo(folder / "out/fifo")
    return folder


def frames(script: str, name: str = "worker-1") -> bytes:
    """What collect.pl sends of a host that runs a script."""
    done = subprocess.run(["sh", "-c", script], capture_output=True)
    lines = done.stderr.decode().splitlines()
    return framed(done.stdout, done.returncode, lines[-1] if lines else "", name)


def framed(printed: bytes, status: int = 0, words: str = "", name: str = "worker-1") -> bytes:
    parts = [printed[i : i + 1000] for i in range(0, len(printed), 1000)]
    body = b"".join(b"d %d\n" % len(part) + part for part in parts)
    return f"h {name}\n".encode() + body + f"e {status} {words}\n".encode()


def receive(
    data: bytes, folder: Path, *patterns: str, room: int = 10**9
) -> tuple[list[Delivery], list[tuple[str, int, int]]]:
    told: list[tuple[str, int, int]] = []
    done = arrival.receive(
        io.BytesIO(data), folder, patterns, lambda: room, lambda *words: told.append(words)
    )
    return list(done), told


def tree(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_files_and_folders_arrive_as_they_are(tmp_path: Path) -> None:
    there = host(tmp_path / "host")
    patterns = (f"{there}/res*.csv", f"{there}/out", f"{there}/res*", f"{there}/none*")
    script = gather.script(patterns)
    (done,), told = receive(frames(script), tmp_path / "here", *patterns)
    assert (done.missing, done.others) == ((3,), 2), "a broken link and a fifo are left out"
    assert tree(tmp_path / "here/worker-1") == {
        "result.csv": b"1,2\n",
        "out/a b": b"spaces",
        "out/-x": b"",
        "out/deep/$(touch gone)": b"9",
        "out/.hidden": b"h",
        "out/linked": b"1,2\n",
    }
    hashes = {each.name: each.sha256 for each in done.files}
    assert hashes["result.csv"] == hashlib.sha256(b"1,2\n").hexdigest()
    copied = (tmp_path / "here/worker-1/result.csv").stat()
    assert copied.st_mode & 0o7777 == 0o750, "no setuid bit comes along"
    assert int(copied.st_mtime) == int((there / "result.csv").stat().st_mtime)
    assert told[-1] == ("worker-1", 16, 16)
    assert not list(tmp_path.rglob("gone"))


def test_only_what_a_job_has_written_is_fetched(tmp_path: Path) -> None:
    there = host(tmp_path / "host")
    mark = Path("/run/mpi/ran-0123456789abcdef")
    script = gather.script((f"{there}/*",), "0123456789abcdef")
    (done,), _ = receive(frames(script), tmp_path / "here", f"{there}/*")
    assert not done.took_part and not done.files
    own = tmp_path / "mark"
    own.write_text("")
    old = there / "old"
    old.write_text("of another job")
    os.utime(old, (1000, 1000))
    os.utime(own, (2000, 2000))
    script = script.replace(str(mark), str(own))
    (done,), _ = receive(frames(script), tmp_path / "here", f"{there}/*")
    assert done.took_part and "result.csv" in {each.name for each in done.files}
    assert "old" not in {each.name for each in done.files}
    assert not own.exists(), "the mark is used once"


def test_two_of_one_name_are_refused_by_the_host(tmp_path: Path) -> None:
    there = host(tmp_path / "host")
    (there / "other").mkdir()
    (there / "other/result.csv").write_text("")
    patterns = (f"{there}/result.csv", f"{there}/*/result.csv")
    with pytest.raises(ClusterError, match=r"worker-1: two of these are called result\.csv"):
        receive(frames(gather.script(patterns)), tmp_path / "here", *patterns)


def sent(
    members: list[tuple[tarfile.TarInfo, bytes]], sums: dict[str, bytes] | None = None
) -> bytes:
    """What a host sends that has these in its tar, and announces `sums` (default: the same)."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w", format=tarfile.GNU_FORMAT) as tar:
        for entry, content in members:
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    told = {entry.name: content for entry, content in members} if sums is None else sums
    lines = b"".join(
        f"{hashlib.sha256(content).hexdigest()}  {name}\0".encode()
        for name, content in told.items()
    )
    total = sum(map(len, told.values()))
    return f"{len(lines)} {total} 0 -\n".encode() + lines + stream.getvalue()


def entry(name: str, kind: bytes = tarfile.REGTYPE, link: str = "") -> tarfile.TarInfo:
    made = tarfile.TarInfo(name)
    made.type, made.linkname = kind, link
    return made


@pytest.mark.parametrize("name", ["../evil", "/tmp/evil", "out/../../evil", "out//x", "."])
def test_a_name_that_leads_out_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ClusterError, match="worker-1: what it sent was rejected"):
        receive(framed(sent([(entry(name), b"x")])), tmp_path / "a/b", "/home/me/*", "/home/me/out")
    # announced by another name
    hostile = sent([(entry(name), b"x")], {"out/x": b"x"})
    with pytest.raises(ClusterError, match="worker-1: what it sent was rejected"):
        receive(framed(hostile), tmp_path / "a/b", "/home/me/out")
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


@pytest.mark.parametrize(
    ("name", "pattern", "taken"),
    [
        ("result.csv", "/h/result.csv", True),
        ("a.csv", "/h/*.csv", True),
        ("b", "/h/[ab]", True),
        ("c", "/h/[!ab]", True),
        ("7", "/h/[[:digit:]]", True),
        ("a*", "/h/a\\*", True),
        (".bashrc", "/h/*", False),
        (".bashrc", "/h/.b*", True),
        ("Makefile", "/h/*.csv", False),
        ("ab", "/h/a\\*", False),
        ("c", "/h/[ab]", False),
    ],
)
def test_only_what_was_asked_for_is_taken(name: str, pattern: str, taken: bool) -> None:
    if taken:
        arrival.check_name(name, [pattern])
        return
    with pytest.raises(ValueError, match="was not asked for"):
        arrival.check_name(name, [pattern])


@pytest.mark.parametrize(
    "kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE, tarfile.DIRTYPE]
)
def test_no_link_and_no_device_is_made(tmp_path: Path, kind: bytes) -> None:
    link = entry("out/x", kind, str(tmp_path))
    through = sent([(link, b""), (entry("out/x/evil"), b"x")], {"out/x": b"", "out/x/evil": b"x"})
    with pytest.raises(ClusterError, match="rejected"):
        receive(framed(through), tmp_path / "here", "/h/out")
    assert not (tmp_path / "evil").exists()
    assert not any(path.is_symlink() for path in tmp_path.rglob("*"))


def test_what_differs_from_its_hash_or_size_is_refused(tmp_path: Path) -> None:
    for number, (data, why) in enumerate(
        (
            (sent([(entry("x"), b"other")], {"x": b"right"}), "has changed while it was copied"),
            (sent([(entry("x"), b"longer")], {"x": b"long"}), "has changed while it was copied"),
            (sent([(entry("x"), b"x")] * 2, {"x": b"x", "y": b"y"}), "was not announced"),
            (sent([(entry("x"), b"x")], {"x": b"x", "y": b"y"}), "y has not arrived"),
            (b"hello\n", "rejected"),
            (b"", "it has no header"),
            (b"999999999999 1 0 -\n", "a list of 999999999999 bytes"),
        )
    ):
        with pytest.raises(ClusterError, match=why):
            receive(framed(data), tmp_path / str(number), "/h/*")


def test_a_header_that_would_fill_the_memory_is_refused(tmp_path: Path) -> None:
    long = tarfile.TarInfo("././@LongLink")
    long.type, long.size = tarfile.GNUTYPE_LONGNAME, 50_000_000
    lines = f"{hashlib.sha256(b'').hexdigest()}  x\0".encode()
    head = f"{len(lines)} 0 0 -\n".encode() + lines + long.tobuf(tarfile.GNU_FORMAT)
    with pytest.raises(ClusterError, match="a header is too large"):
        receive(framed(head + bytes(50_000_000)), tmp_path, "/h/x")


def test_a_host_that_fails_is_told_by_its_own_words(tmp_path: Path) -> None:
    half = sent([(entry("x"), b"x" * 9000)])[:5000]
    with pytest.raises(ClusterError, match="worker-1: tar: x: Input/output error"):
        receive(framed(half, 2, "tar: x: Input/output error"), tmp_path, "/h/x")
    with pytest.raises(arrival.Cut):
        receive(framed(half)[:3000], tmp_path / "b", "/h/x")


def test_a_disk_without_room_is_told_before_anything_is_written(tmp_path: Path) -> None:
    with pytest.raises(OSError, match=r"worker-1 has 0\.0 GB"):
        receive(framed(sent([(entry("x"), b"x" * 9000)])), tmp_path, "/h/x", room=8000)
    assert not tree(tmp_path)


def arrived(host: str, name: str, content: bytes, folder: Path) -> Arrived:
    (folder / host / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / host / name).write_bytes(content)
    return Arrived(host, name, len(content), hashlib.sha256(content).hexdigest())


def test_files_land_together_and_the_folder_beside_is_gone(tmp_path: Path) -> None:
    target = tmp_path / "new/results"
    with landing.beside(target) as folder:
        assert folder.stat().st_dev == tmp_path.stat().st_dev and not target.exists()
        one = arrived("w-1", "a", b"1", folder)
        two = arrived("w-2", "a", b"2", folder)
        other = arrived("w-2", "b/c", b"3", folder)
        assert set(landing.places([one, other], None).values()) == {Path("a"), Path("b/c")}
        where = landing.places([one, two, other], None)
        assert landing.land(folder, target, where) == 0
    assert tree(target) == {"w-1/a": b"1", "w-2/a": b"2", "w-2/b/c": b"3"}
    assert [path.name for path in tmp_path.iterdir()] == ["new"]


def test_what_cannot_land_moves_nothing(tmp_path: Path) -> None:
    target = tmp_path / "t"
    (target / "is-a-folder").mkdir(parents=True)
    (target / "is-a-file").write_text("old")
    (target / "first").write_text("old")
    for name in ("is-a-folder", "is-a-file/x"):
        with (
            pytest.raises(InputError, match=f"{name.partition('/')[0]} is a "),
            landing.beside(target) as folder,
        ):
            files = [arrived("w", each, b"new", folder) for each in ("first", name)]
            landing.land(folder, target, landing.places(files, False))
        assert tree(target) == {"is-a-file": b"old", "first": b"old"}
    with landing.beside(target) as folder:
        files = [arrived("w", "first", b"new", folder)]
        assert landing.land(folder, target, landing.places(files, False)) == 1
    assert tree(target) == {"is-a-file": b"old", "first": b"new"}


@pytest.mark.skipif(os.geteuid() != 0, reason="a small disk needs root")
def test_a_disk_that_fills_while_files_come_leaves_nothing(tmp_path: Path) -> None:
    small = tmp_path / "small"
    small.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(small)], check=True)
    try:
        (small / "x").write_text("old")
        data = framed(sent([(entry("x"), b"x" * 1_000_000)]))
        with pytest.raises(OSError, match="No space left"), landing.beside(small) as folder:
            receive(data, folder, "/h/x")
        assert tree(small) == {"x": b"old"}
        assert [path.name for path in small.iterdir()] == ["x"]
    finally:
        subprocess.run(["umount", str(small)], check=True)


@pytest.mark.parametrize("pattern", ["", "/", ".", "a/..", "a\nb"])
def test_a_path_without_a_name_is_refused(pattern: str) -> None:
    with pytest.raises(InputError):
        gather.refuse_bad(pattern)


def test_what_hosts_share_is_sent_once(tmp_path: Path) -> None:
    there = host(tmp_path / "host")
    patterns = (f"{there}/res*", f"{there}/out")
    script = gather.script(patterns, once=1)
    data = frames(f"first=yes\n{script}") + frames(f"first=no\n{script}", "worker-2")
    first, second = receive(data, tmp_path / "here", *patterns)[0]
    assert {each.name for each in first.files} > {"out/a b", "result.csv"}
    assert [each.name for each in second.files] == ["result.csv"]
    assert (first.missing, second.missing) == ((), (1,))


def test_what_a_killed_pull_has_left_is_swept_and_nothing_else(tmp_path: Path) -> None:
    for name in ("mpigen-pull-abc", "mpigen-site", "mpigen-ssh-abc"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "lock").touch()
    with landing.beside(tmp_path / "new"):
        pass
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mpigen-site", "mpigen-ssh-abc"]
