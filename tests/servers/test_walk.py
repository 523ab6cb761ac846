"""docs/servers.md and README, walked on two servers of their own kernels; in the order given.

The reader sits at this machine, and is a plain user of the servers, in the group docker. What each
command prints is checked, and nothing of what takes how long: emulated servers are slow.
"""

import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

from tests.faults.conftest import until
from tests.servers.conftest import BASE, README, ROOT, Seen, blocks
from tests.servers.machines import Machine
from tests.swarm.terminal import Terminal

SECONDS = 1800.0
_TEXT = (ROOT / "docs" / "servers.md").read_text("utf-8")
_SECTION = _TEXT.partition("\n## From two bare servers to a job\n")[2].partition("\n## ")[0]
INSTALL, INIT, SITE, DEPLOY = blocks(_SECTION)
(ENDPOINTS,) = re.findall(r"^  (endpoints: .*)$", blocks(_SECTION, "yaml")[0], re.M)
# as the documents recommend for slow servers
PATIENT = "--wait 1200"
UP = r"worker: 2 containers on 2 nodes"
DOCTOR = r"\b0 failed, \d+ unknown, \d+ passed"
# of README's table of every day, what two servers have room for
EVERY_DAY = {
    "mpigen status": "worker: 2 of 2 containers",
    "mpigen run --detach --name nightly -- hello": "nightly",
    "mpigen wait nightly": "nightly 0",
    "mpigen logs nightly": "Allreduce over 4 ranks: correct",
    "mpigen jobs": "nightly",
}


@contextmanager
def logged_in(reader: Terminal, server: Machine) -> Iterator[None]:
    """A login of the reader, at the terminal."""
    reader.paste(f"ssh you@{server.name}", SECONDS)
    yield
    reader.paste("trap - ERR; exit", SECONDS)  # Debian's .bash_logout fails in its first line


def command(reader: Terminal, seen: Seen, line: str, right: str, words: str = "") -> str:
    """Paste a command, which must print `right`; a row of the table."""
    with seen.row(f"`{line}`") as found:
        shown = reader.paste(line, SECONDS)
        printed = re.search(right, shown)
        assert printed, shown
        found.append(words or printed[0])
    return shown


def ranks(shown: str) -> list[str]:
    """The host of each rank of a job of `hello`."""
    return sorted(re.findall(r"^Size: \d+, Rank: \d+, Host: (\S+)$", shown, re.M))


def a_job_is_right(reader: Terminal, seen: Seen, what: str, hosts: int = 2) -> None:
    with seen.row(what) as found:
        shown = reader.paste("mpigen run -- hello", SECONDS)
        assert len(ranks(shown)) == 2 * hosts and len(set(ranks(shown))) == hosts, shown
        assert f"Allreduce over {2 * hosts} ranks: correct" in shown
        found.append(f"{2 * hosts} ranks on {hosts} of the servers: correct")


def test_two_bare_servers_become_a_swarm(
    servers: list[Machine], reader: Terminal, seen: Seen
) -> None:
    alpha, beta = servers
    for each in servers:
        with logged_in(reader, each):
            reader.paste(INSTALL, SECONDS)
        with logged_in(reader, each), seen.row(f"{each.name} has Docker") as found:
            version = "docker version --format 'Docker {{.Server.Version}}'"
            shown = reader.paste(f"{version}; uname -r; stat -fc %T /sys/fs/cgroup", SECONDS)
            docker, kernel, cgroup = shown.splitlines()[1:4]
            assert cgroup == "cgroup2fs"
            found += [f"Debian {each.server.suite}", docker, f"Linux {kernel}", "cgroup v2"]
    with seen.row("`docker swarm init` and `join`") as found:
        with logged_in(reader, alpha):
            shown = reader.paste(INIT.replace("ADDRESS_OF_ALPHA", alpha.server.address), SECONDS)
        (join,) = re.findall(r"docker swarm join --token \S+ \S+", shown)
        own = f"--advertise-addr {beta.server.address} --data-path-addr {beta.server.address}"
        with logged_in(reader, beta):
            assert "This node joined a swarm as a worker." in reader.paste(f"{join} {own}", SECONDS)
        nodes = alpha.check("docker node ls --format '{{.Hostname}} {{.Status}}'")
        assert sorted(nodes.splitlines()) == ["alpha Ready", "beta Ready"]
        found.append("two nodes, ready")


def test_from_a_site_to_a_job(reader: Terminal, seen: Seen) -> None:
    reader.paste(SITE, SECONDS)
    file = reader.home / "mycluster" / "mpigen.yaml"
    text = file.read_text()
    for old, new in {
        r"^#image:$": "image:",
        r"^  #endpoints: .*$": f"  {ENDPOINTS}",
        r"^    cpus: \d+$": "    cpus: 2",
    }.items():
        text, count = re.subn(old, new, text, flags=re.M)
        assert count == 1, old
    reader.run("tee", file, given=text)
    render, build, doctor, deploy, run = DEPLOY.splitlines()
    reader.paste(render, SECONDS)
    after = "next: mpigen deploy --context alpha"
    command(reader, seen, build, after, "built here, loaded by both servers")
    command(reader, seen, doctor.partition(" #")[0].rstrip(), DOCTOR)
    command(reader, seen, f"{deploy} {PATIENT}", UP)
    shown = command(reader, seen, run, "Allreduce over 4 ranks: correct", "4 ranks on 2 servers")
    assert ranks(shown) == ["worker-1"] * 2 + ["worker-2"] * 2


def test_every_day_with_a_context_of_ones_own(
    servers: list[Machine], reader: Terminal, seen: Seen
) -> None:
    # its engine builds then, and the servers cannot pull
    save = subprocess.Popen(["docker", "save", BASE], stdout=subprocess.PIPE)
    load = [*servers[0].ssh, "you@alpha", "docker load"]
    subprocess.run(load, stdin=save.stdout, check=True, timeout=SECONDS)
    assert save.wait() == 0
    assert "`export MPIGEN_CONTEXT=alpha`" in README
    reader.paste("export MPIGEN_CONTEXT=alpha", SECONDS)
    step = "mpigen render && mpigen build && mpigen doctor"
    assert f"`{step}`" in README
    command(reader, seen, step, f"(?s)unchanged.*{DOCTOR}", "unchanged; no finding failed")
    for line, right in EVERY_DAY.items():
        assert f"`{line}`" in README, line
        command(reader, seen, line, right)
    # all of it takes ten minutes there
    command(reader, seen, "mpigen verify -k 'ssh or hostfile'", r"\d+ passed\b(?!.*failed)")


def test_a_server_is_switched_off_under_a_job_and_comes_back(
    servers: list[Machine], reader: Terminal, seen: Seen
) -> None:
    _, beta = servers
    (place,) = re.findall(r"_worker\.(\d)\.", beta.check("docker ps --format '{{.Names}}'"))
    mpigen = reader.home / "mpigen-venv" / "bin" / "mpigen"
    job = subprocess.Popen(
        [str(mpigen), "run", "--", "sh", "-c", "echo ready; sleep 3600"],
        cwd=reader.home / "mycluster",
        env={**reader.environment, "MPIGEN_CONTEXT": "alpha"},
        user=reader.user,
        group=reader.group,
        extra_groups=reader.groups,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert job.stdout
    there = 0
    for line in job.stdout:
        there += line.rstrip() == "ready"
        if there == 4:
            break
    else:
        raise AssertionError(job.communicate()[1])
    with seen.row("beta is switched off under a job") as found:
        beta.switch_off()
        _, errors = job.communicate(timeout=SECONDS)
        assert job.returncode not in (0, None), errors
        assert f"worker-{place}" in errors, errors
        found.append(f"the job ends with {job.returncode} and names worker-{place}")
    with seen.row("beta is switched on again") as found:
        beta.switch_on()
        beta.wait()
        until(lambda: healthy(servers) == 2, SECONDS, "two healthy workers")
        found.append("its worker has come back by itself")
    a_job_is_right(reader, seen, "the next job")


def healthy(servers: list[Machine]) -> int:
    """How many workers are healthy, asked on their own servers."""
    ask = "docker ps -q --filter label=com.docker.swarm.service.name --filter health=healthy"
    return sum(len(each.call(ask).out.split()) for each in servers)


def test_scaling_down_and_up(reader: Terminal, seen: Seen) -> None:
    command(reader, seen, f"mpigen scale worker=1 {PATIENT}", r"worker: 1 container on 1 node")
    a_job_is_right(reader, seen, "a job on what is left", hosts=1)
    command(reader, seen, f"mpigen scale worker=2 {PATIENT}", UP)
    a_job_is_right(reader, seen, "a job on both again")


def test_an_encrypted_network_carries_a_job(
    servers: list[Machine], reader: Terminal, seen: Seen
) -> None:
    reader.paste(f"mpigen down {PATIENT}", SECONDS)
    file = reader.home / "mycluster" / "mpigen.yaml"
    text = file.read_text()
    assert "\n#network:\n" in text and "\n  #encrypted: true\n" in text
    text = text.replace("\n#network:\n", "\nnetwork:\n")
    reader.run("tee", file, given=text.replace("\n  #encrypted: true\n", "\n  encrypted: true\n"))
    reader.paste("mpigen render && mpigen build", SECONDS)
    command(reader, seen, f"mpigen deploy {PATIENT}", UP, "an encrypted network")
    before = [encrypted_bytes(each) for each in servers]
    a_job_is_right(reader, seen, "a job on it")
    after = [encrypted_bytes(each) for each in servers]
    grown = [new - old for old, new in zip(before, after, strict=True)]
    assert min(grown) > 10_000, (before, after)
    command(reader, seen, "mpigen doctor", DOCTOR, "packets of full size pass")


def encrypted_bytes(server: Machine) -> int:
    """The bytes that the kernel has encrypted or decrypted for the overlay, by its ESP states."""
    states = server.check("sudo ip -s xfrm state")
    assert "proto esp" in states, states
    return sum(map(int, re.findall(r"^\s+(\d+)\(bytes\)", states, re.M)))


def test_it_goes_down(servers: list[Machine], reader: Terminal, seen: Seen) -> None:
    command(reader, seen, f"mpigen down {PATIENT}", "the stack mycluster is gone")
    for each in servers:
        assert each.check("docker ps -q") == ""
