"""The doctor's judgement, on facts that are made up; and how a probe's lines become facts."""

import os
import subprocess
from dataclasses import replace
from ipaddress import IPv4Network
from pathlib import Path
from typing import Any

import pytest

from mpigen.doctor import checks_engine, doctor, facts, survey
from mpigen.doctor.facts import Attached, Facts, Host, Worker
from mpigen.notation.timestamps import parse_timestamp
from mpigen.stackfile import versions
from mpigen.swarm import nodes, placement, probe
from mpigen.swarm.engine_faults import parse_version
from mpigen.swarm.nodes import Node

GB = 10**9
HOST = facts.host(
    """\
link=lo 65536
link=eth0 1500
link=veth0
address=lo 127.0.0.1/8
address=eth0 192.0.2.1/24
route=192.0.2.0/24 eth0
route=172.18.0.0/16 docker_gwbridge
free=50000000000
kernel=VXLAN yes
kernel=INET_ESP no
image=abc
end=yes
""".splitlines()
)


def host(number: int, **changes: Any) -> Host:
    addresses = {"127.0.0.1": "lo", f"192.0.2.{number}": "eth0"}
    return replace(HOST, **{"addresses": addresses, **changes})


def attached(**changes: Any) -> Attached:
    seen = Attached(
        names={"worker": frozenset({"10.77.0.2", "10.77.0.3"})},
        peers={"10.77.0.2": "yes", "10.77.0.3": "yes"},
        images={"10.77.0.2": "abc", "10.77.0.3": "abc"},
    )
    return replace(seen, **changes)


def node(number: int, **changes: Any) -> Node:
    plain = Node(
        id=f"id{number}",
        name=f"node-{number}",
        role="manager" if number == 1 else "worker",
        state="ready",
        availability="active",
        engine="26.1.5+dfsg1",
        address=f"192.0.2.{number}",
        manager="leader" if number == 1 else "",
    )
    return replace(plain, **changes)


WELL = Facts(
    stack="s",
    network="s_mpi",
    subnet=IPv4Network("10.77.0.0/24"),
    image="mpi:1",
    groups=("worker",),
    client="28.2.2",
    where="unix:///x",
    engine="26.1.5",
    swarm="active",
    is_manager=True,
    nodes=(node(1), node(2)),
    networks={"ingress": facts.subnets("10.0.0.0/24", "fd00::/64")},
    deployed=True,
    image_size=GB,
    wanted={"worker": 2},
    workers=(
        Worker("worker-1", "worker", "id1", "10.77.0.2"),
        Worker("worker-2", "worker", "id2", "10.77.0.3"),
    ),
    hosts={"id1": host(1), "id2": host(2)},
    attached={"id1": attached(), "id2": attached()},
    clocks={"id1": (-0.1, 1.2), "id2": (-0.3, 1.4)},
)


def found(known: Facts, verdict: str) -> dict[str, list[str]]:
    """What is found with that verdict, by check; what is bad says what to do."""
    lines: dict[str, list[str]] = {}
    for finding in doctor.examine(known):
        assert finding.what
        if finding.verdict == verdict:
            assert finding.todo or verdict != "bad", finding
            lines.setdefault(finding.check, []).append(finding.what)
    return lines


def second(**changes: Any) -> Facts:
    """The well ones, but for node-2 as it looks from its own network."""
    return replace(WELL, hosts={"id1": host(1), "id2": host(2, **changes)})


def overlay(**changes: Any) -> Facts:
    """The well ones, but for what node-2 sees of the overlay."""
    return replace(WELL, attached={"id1": attached(), "id2": attached(**changes)})


NEW = (node(1, engine="29.1.3"), node(2, engine="29.1.3"))


def test_all_is_well() -> None:
    assert {finding.verdict for finding in doctor.examine(WELL)} == {"ok"}


@pytest.mark.parametrize(
    ("known", "bad"),
    [
        pytest.param(
            replace(WELL, client="19.03.8"),
            {
                "client": [
                    "the docker command: 19.03.8 is older than 20.10, without host names such as "
                    "worker-1 that resolve, cap_drop in services"
                ]
            },
            id="old client",
        ),
        pytest.param(
            replace(WELL, client="26.1.5", minimum="27.0", nodes=NEW),
            {
                "client": [
                    "the docker command: 26.1.5 is older than 27.0, without stack files of "
                    "version 3.13"
                ]
            },
            id="client too old for the stack file",
        ),
        pytest.param(
            replace(WELL, client="28.5.2", minimum="29.0", nodes=NEW),
            {"client": ["the docker command: 28.5.2 is older than 29.0"]},
            id="client that lacks nothing",
        ),
        pytest.param(
            replace(WELL, client="", client_error="there is no docker command here"),
            {"client": ["there is no docker command here"]},
            id="no client",
        ),
        pytest.param(
            replace(WELL, nodes=(node(1), node(2, engine="18.09.1"))),
            {
                "engine": [
                    "node-2: 18.09.1 is older than 20.10, without host names such as worker-1 that "
                    "resolve, cap_drop in services, stack files of version 3.8"
                ]
            },
            id="old engine on one node",
        ),
        pytest.param(
            replace(
                WELL, nodes=(node(1), node(2, manager="unreachable"), node(3, manager="reachable"))
            ),
            {"managers": ["node-2: unreachable; 2 of 3 are left, 2 are needed"]},
            id="a manager is lost",
        ),
        pytest.param(
            replace(WELL, nodes=(node(1), node(2, availability="pause"))),
            {"nodes": ["node-2 is paused"]},
            id="paused",
        ),
        pytest.param(
            replace(WELL, hosts={"id1": host(1)}, hosts_errors={"id2": "No such image: mpi:1"}),
            {"image": ["node-2: no image mpi:1"]},
            id="no image",
        ),
        pytest.param(
            replace(WELL, hosts={"id1": host(1)}, hosts_errors={"id2": "cannot fork"}),
            {"look": ["node-2: cannot fork"]},
            id="nothing starts",
        ),
        pytest.param(
            second(image="def"),
            {
                "image": [
                    "mpi:1 is not the same everywhere: abc on node-1; def on node-2; "
                    "abc in worker-1, worker-2"
                ]
            },
            id="two images",
        ),
        pytest.param(
            overlay(images={"10.77.0.2": "abc", "10.77.0.3": "old"}),
            {
                "image": [
                    "mpi:1 is not the same everywhere: abc on node-1, node-2; "
                    "abc in worker-1, worker-2; old in worker-2"
                ]
            },
            id="an old image still runs",
        ),
        pytest.param(
            replace(WELL, wanted={"worker": 3}), {"workers": ["2 of 3 worker run"]}, id="too few"
        ),
        pytest.param(
            second(free=GB),
            {"disk": ["node-2: 1.0 GB free, 2.0 GB are needed for a new image"]},
            id="full disk",
        ),
        pytest.param(
            replace(WELL, clocks={"id1": (0.0, 1.0), "id2": (-63.0, -61.2)}),
            {"clock": ["node-2 is 61 s behind the leader"]},
            id="slow clock",
        ),
        pytest.param(
            second(closed={"192.0.2.1:2377": "Connection refused"}),
            {"ports": ["2377/tcp of node-1 (192.0.2.1): Connection refused, asked by node-2"]},
            id="closed port",
        ),
        pytest.param(
            overlay(peers={"10.77.0.2": "silent", "10.77.0.3": "yes"}),
            {"overlay": ["no traffic from node-2 reaches worker-1 (10.77.0.2) on node-1"]},
            id="no way for the overlay",
        ),
        pytest.param(
            overlay(peers={"10.77.0.2": "large", "10.77.0.3": "yes"}),
            {"overlay": ["only small packets from node-2 reach worker-1 (10.77.0.2) on node-1"]},
            id="small packets alone",
        ),
        pytest.param(
            overlay(peers={"10.77.0.2": "refused Permission denied (publickey)."}),
            {
                "overlay": [
                    "worker-1 (10.77.0.2) on node-1 refuses node-2: Permission denied (publickey)."
                ]
            },
            id="other keys",
        ),
        pytest.param(
            second(links={"eth0": 1400}),
            {
                "mtu": [
                    "node-2: eth0 carries packets of 1400 bytes, but the overlay is made for 1500"
                ]
            },
            id="small mtu",
        ),
        pytest.param(
            replace(WELL, networks={"other": facts.subnets("10.64.0.0/12")}),
            {"subnet": ["10.77.0.0/24 overlaps 10.64.0.0/12 of the network other"]},
            id="taken in the Swarm",
        ),
        pytest.param(
            second(routes=((IPv4Network("10.77.0.0/16"), "tun0"),)),
            {"subnet": ["node-2: 10.77.0.0/24 overlaps 10.77.0.0/16, which goes to tun0"]},
            id="taken on a node",
        ),
        pytest.param(
            replace(second(kernel={"VXLAN": True, "INET_ESP": True}), options={"encrypted": ""}),
            {"kernel": ["node-1: a kernel without CONFIG_INET_ESP, for encrypted ones"]},
            id="no encryption",
        ),
        pytest.param(
            replace(
                second(kernel={"VXLAN": True, "INET_ESP": True}),
                options={"encrypted": ""},
                hosts={
                    each: host(n, kernel={"VXLAN": True, "INET_ESP": True})
                    for n, each in ((1, "id1"), (2, "id2"))
                },
                nodes=(node(1), node(2, engine="29.1.0")),
            ),
            {
                "engine": [
                    "an encrypted network carries no traffic between Docker 29.0 to 29.2.0 "
                    "(node-2) and older engines (node-1), moby/moby#51798"
                ]
            },
            id="encryption of mixed engines",
        ),
        pytest.param(
            overlay(names={"worker": frozenset({"10.77.0.2", "10.77.0.9"})}),
            {
                "dns": [
                    "node-2: tasks.worker does not name worker-2 (10.77.0.3)",
                    "node-2: tasks.worker names 10.77.0.9, where nothing runs",
                ]
            },
            id="stale DNS",
        ),
    ],
)
def test_what_is_wrong_is_one_line(known: Facts, bad: dict[str, list[str]]) -> None:
    assert found(known, "bad") == bad


def test_a_change_while_it_looks_is_no_fault() -> None:
    known = overlay(names={"worker": frozenset({"10.77.0.2", "10.77.0.3", "10.77.0.9"})})
    assert "dns" in found(known, "bad")
    assert found(replace(known, changed=frozenset({"10.77.0.9"})), "bad") == {}


def test_a_node_that_is_down_is_blamed_once() -> None:
    known = replace(
        WELL,
        nodes=(node(1), node(2, state="down")),
        hosts={"id1": host(1, closed={"192.0.2.2:7946": "no answer"})},
        attached={"id1": attached()},
        clocks={"id1": (0.0, 1.0)},
    )
    assert found(known, "bad") == {"nodes": ["node-2 is down"]}
    unknown = found(known, "unknown")
    assert {what for those in unknown.values() for what in those} == {"not checked: node-2 (down)"}
    assert len(unknown) == 9


def test_an_image_that_a_node_without_workers_lacks() -> None:
    known = replace(
        WELL,
        spare=frozenset({"id2"}),
        hosts={"id1": host(1)},
        hosts_errors={"id2": "No such image: mpi:1"},
    )
    assert found(known, "bad") == {}
    assert "node-2: no image mpi:1, but no group is placed there" in found(known, "ok")["image"]


def words_of(known: Facts) -> str:
    """All that the doctor says."""
    return "\n".join(f"{one.what} {one.todo}" for one in doctor.examine(known))


def test_a_group_that_is_not_deployed_yet_is_no_fault() -> None:
    known = replace(WELL, groups=("worker", "gpu"))
    assert found(known, "bad") == {}
    assert found(known, "unknown") == {"workers": ["gpu is not deployed yet"]}
    # and an external network made beforehand
    before = replace(known, deployed=False, wanted={}, workers=(), attached={})
    assert found(before, "bad") == {}


@pytest.mark.parametrize(
    "known",
    [
        replace(WELL, groups=("worker", "gpu")),
        replace(WELL, nodes=(), swarm_error="asking the manager: no answer within 60 s"),
        replace(WELL, nodes=(), swarm_error="rpc error: The swarm does not have a leader."),
        replace(WELL, nodes=(node(1), node(2, state="down"))),
        overlay(peers={"10.77.0.2": "slow login 60", "10.77.0.3": "yes"}),
        replace(WELL, attached_errors={"id2": "its container is running after 60 s"}),
    ],
)
def test_nothing_destructive_is_advised_on_a_guess(known: Facts) -> None:
    said = words_of(known)
    assert "force-new-cluster" not in said
    assert "mpigen down" not in said
    assert "service update --force" not in said


def test_slow_is_not_broken() -> None:
    slow = overlay(peers={"10.77.0.2": "slow login 60", "10.77.0.3": "slow greeting 40"})
    assert found(slow, "bad") == {}
    assert found(slow, "unknown") == {
        "overlay": [
            "slow: node-2 waited 60 s for a login of worker-1 (10.77.0.2) on node-1",
            "slow: node-2 waited 40 s for a greeting of worker-2 (10.77.0.3) on node-2",
        ]
    }
    logins = overlay(logins={"10.77.0.2": 31, "10.77.0.3": 2})
    assert found(logins, "bad") == {}
    assert found(logins, "unknown") == {
        "look": ["1 logins were slow; that of node-2 to worker-1 took 31 s"]
    }
    late = replace(
        WELL,
        hosts={"id1": host(1)},
        hosts_errors={"id2": "its container is running after 120 s"},
        late=frozenset({"id2"}),
    )
    assert found(late, "bad") == {}
    assert "node-2: slow, its container is running after 120 s" in found(late, "unknown")["look"]
    silent = overlay(names={})
    assert found(silent, "bad") == {}
    assert "slow: DNS on node-2 has not answered in time" in found(silent, "unknown")["dns"]
    untried = second(untried=("192.0.2.1:2377",))
    assert set(found(untried, "unknown")) == {"ports"}
    unlike = second(image="")
    assert set(found(unlike, "unknown")) == {"image"}
    # its end was told half a minute late: the clock may be right
    told = replace(WELL, clocks={"id1": (0.0, 1.0), "id2": (-30.0, 4.0)})
    assert found(told, "bad") == {}
    assert set(found(told, "unknown")) == {"clock"}


def test_no_worker_of_none_is_not_all_of_them() -> None:
    none = replace(WELL, wanted={"worker": 0}, workers=())
    assert "worker is scaled to 0: no worker of it is to run" in found(none, "unknown")["workers"]
    nowhere = replace(none, everywhere=frozenset({"worker"}))
    assert found(nowhere, "bad") == {"workers": ["worker: no ready and active node may run it"]}


def test_a_network_of_the_servers_own() -> None:
    hosts = ("worker-1", "worker-2")
    known = replace(
        WELL,
        driver="macvlan",
        # the servers are on that network too
        hosts={"id1": host(1), "id2": host(2, routes=((WELL.subnet, "eth0"),))},
        workers=tuple(replace(each, address=each.host) for each in WELL.workers),
        attached=dict.fromkeys(
            ("id1", "id2"),
            Attached(WELL.attached["id1"].names, dict.fromkeys(hosts, "yes"), {}),
        ),
    )
    assert {finding.verdict for finding in doctor.examine(known)} == {"ok"}
    assert "4789" not in words_of(known)
    fewer = Attached({"worker": frozenset({"10.77.0.2"})}, dict.fromkeys(hosts, "yes"), {})
    assert found(replace(known, attached={"id1": fewer, "id2": fewer}), "bad") == {
        "dns": ["node-1, node-2: tasks.worker names 1 addresses, but 2 workers run"]
    }
    task = {"NetworksAttachments": [{"Network": {"Spec": {"Name": "mv"}}}]}
    assert survey._address(task, "mv", "worker-1") == "worker-1"


@pytest.mark.parametrize(
    ("options", "mtu", "inner"),
    [
        ({}, 1500, 1450),
        ({"com.docker.network.driver.mtu": "1400"}, 1400, 1350),
        ({"encrypted": "true"}, 1500, 1424),
        ({"encrypted": "false"}, 1500, 1450),
        # Docker takes the option for a yes whatever it holds, and compose files have it empty
        ({"encrypted": "", "com.docker.network.driver.mtu": "9000"}, 9000, 8924),
    ],
)
def test_the_mtus_of_an_overlay(options: dict[str, str], mtu: int, inner: int) -> None:
    known = replace(WELL, options=options)
    assert (known.mtu, known.inner_mtu) == (mtu, inner)


def test_what_cannot_be_told_is_no_fault() -> None:
    bare = Facts("s", "s_mpi", WELL.subnet, "mpi:1", ("worker",), client="28.2.2")
    silent = replace(bare, engine_error="no Docker engine answers", engine_hint="Start one")
    assert found(silent, "bad") == {"engine": ["no Docker engine answers"]}
    assert len(found(silent, "unknown")) == 14

    worker = replace(bare, engine="26.1", where="w", swarm="active", managers=("192.0.2.1",))
    assert found(worker, "bad") == {}
    assert found(worker, "unknown")["swarm"] == [
        "the engine at w is a worker of its Swarm; its managers: 192.0.2.1: name one of "
        "them with --context"
    ]
    alone = replace(bare, engine="26.1", where="w", swarm="inactive")
    assert found(alone, "bad") == {"swarm": ["the engine at w is not part of a Swarm"]}
    leaderless = replace(bare, engine="26.1", swarm="active", is_manager=True, swarm_error="no!")
    assert found(leaderless, "bad") == {"swarm": ["its manager has not answered: no!"]}
    locked = replace(bare, engine="26.1", swarm="locked")
    assert found(locked, "bad") == {
        "swarm": ["the state of the engine in its Swarm is locked: no reason"]
    }
    development = replace(WELL, client="dev")
    assert set(found(development, "unknown")) == {"client"}
    nat = second(addresses={"10.0.0.1": "eth0"})
    assert set(found(nat, "unknown")) == {"mtu"}
    untold = replace(second(kernel={}), options={"encrypted": ""})
    assert found(untold, "unknown")["kernel"] == [
        "node-2: the kernel does not report its build options"
    ]
    undeployed = replace(WELL, deployed=False, workers=(), attached={}, wanted={})
    assert set(found(undeployed, "unknown")) == {"workers", "overlay", "dns"}
    assert found(undeployed, "bad") == {}


def test_every_need_has_a_version_and_a_source() -> None:
    assert all(need.source and parse_version(need.version) for need in checks_engine.NEEDS)


def test_stack_files_need_the_releases_that_they_are_rendered_for() -> None:
    needs = {need.what: parse_version(need.version) for need in checks_engine.NEEDS}
    for version, release in versions.VERSIONS.items():
        # 3.9 is for a site's own keys alone
        assert needs.get(f"stack files of version {version}") == (
            None if version == "3.9" else release
        )


def test_what_a_node_says() -> None:
    assert HOST.links == {"lo": 65536, "eth0": 1500}
    assert HOST.link_of("192.0.2.1") == "eth0"
    assert HOST.link_of("192.0.2.2") == ""
    assert HOST.routes == (
        (IPv4Network("192.0.2.0/24"), "eth0"),
        (IPv4Network("172.18.0.0/16"), "docker_gwbridge"),
    )
    assert (HOST.free, HOST.image) == (50 * GB, "abc")
    assert HOST.kernel == {"VXLAN": True, "INET_ESP": False}
    closed = facts.host(["closed=192.0.2.9:7946 No route to host", "end=yes"]).closed
    assert closed == {"192.0.2.9:7946": "No route to host"}


def test_storage_that_is_said_to_be_shared_is_told_by_node() -> None:
    def known(*lines: str) -> Facts:
        seen = facts.attached(f"storage=/data {line}" for line in lines)
        first = attached(storage=seen.storage)
        return replace(WELL, shared=("/data",), attached={**WELL.attached, "id1": first})

    def told(facts: Facts) -> tuple[str, str]:
        (one,) = (each for each in doctor.examine(facts) if each.check == "storage")
        return one.verdict, one.what

    assert told(known("10.77.0.2 same", "10.77.0.3 same")) == (
        "ok",
        "/data: written on node-1, read on node-1, node-2",
    )
    assert told(known("10.77.0.2 same", "10.77.0.3 other")) == (
        "bad",
        "/data is not shared: what node-1 wrote is not there on node-2",
    )
    assert told(known("10.77.0.2 unwritten sh: 1: cannot create: Permission denied")) == (
        "bad",
        "node-1 cannot write to /data: sh: 1: cannot create: Permission denied",
    )
    assert told(known("10.77.0.2 same")) == ("unknown", "/data: not read on node-2")
    assert told(known()) == ("unknown", "/data: not read on node-1, node-2")
    alone = replace(known("10.77.0.2 same"), workers=WELL.workers[:1])
    assert told(alone) == ("unknown", "/data: all workers are on one server")
    assert told(replace(known(), workers=())) == ("unknown", "/data: no worker runs")
    assert "storage" not in {each.check for each in doctor.examine(WELL)}


def test_what_a_node_says_of_the_overlay() -> None:
    seen = facts.attached(
        [
            "dns=worker 10.77.0.2",
            "dns=worker 10.77.0.3",
            "dns=thin",
            "dns=thin 10.77.0.4",
            "dns=none",
            "login=10.77.0.2 7",
            "peer=10.77.0.2 yes abc",
            "peer=10.77.0.3 silent",
            "peer=10.77.0.4 refused Host key verification failed.",
            "end=yes",
        ]
    )
    assert seen.names == {
        "worker": frozenset({"10.77.0.2", "10.77.0.3"}),
        "thin": frozenset({"10.77.0.4"}),
        "none": frozenset(),
    }
    assert seen.logins == {"10.77.0.2": 7}
    assert seen.peers == {
        "10.77.0.2": "yes",
        "10.77.0.3": "silent",
        "10.77.0.4": "refused Host key verification failed.",
    }
    assert seen.images == {"10.77.0.2": "abc"}


@pytest.mark.parametrize(
    ("constraint", "allowed"),
    [
        ("node.role == worker", False),
        ("node.role!=worker", True),
        ("node.hostname == NODE-1", True),
        ("node.labels.kind == mpi", True),
        ("node.labels.kind == web", False),
        ("node.labels.none != x", True),
        ("engine.labels.disk == ssd", True),
        ("node.platform.arch == aarch64", False),
        ("node.ip == 192.0.2.0/24", True),  # not understood: it counts as met
    ],
)
def test_where_workers_may_be(constraint: str, allowed: bool) -> None:
    entry = {
        "ID": "id1",
        "Spec": {"Role": "manager", "Availability": "active", "Labels": {"kind": "mpi"}},
        "Status": {"State": "ready", "Addr": "0.0.0.0"},
        "Description": {
            "Hostname": "node-1",
            "Platform": {"OS": "linux", "Architecture": "x86_64"},
            "Engine": {"EngineVersion": "26.1.5", "Labels": {"disk": "ssd"}},
        },
        "ManagerStatus": {"Leader": True, "Addr": "192.0.2.1:2377", "Reachability": "reachable"},
    }
    parsed = nodes.parse(entry)
    assert parsed == Node(
        "id1", "node-1", "manager", "ready", "active", "26.1.5", "192.0.2.1", "leader"
    )
    assert survey.spare([parsed], [[constraint]]) == (frozenset() if allowed else {"id1"})
    # one group is enough
    assert not survey.spare([parsed], [[constraint], []])


def test_a_node_that_is_joining_is_called_by_its_id() -> None:
    entry = {
        "ID": "id1",
        "Spec": {"Role": "worker", "Availability": "active"},
        "Status": {"State": "unknown"},
    }
    joining = nodes.parse(entry)
    assert (joining.name, joining.address, joining.manager) == ("id1", "", "")
    assert not joining.is_ready
    # its host name is not known yet
    assert not placement.allows(joining, ["node.hostname == id1"])


def test_nodes_do_not_all_log_in_to_the_same_one_first() -> None:
    script = Path(probe.__file__).parent / "probes/overlay.sh"
    peers = {f"id{number}": f"127.0.0.{number}" for number in range(1, 18)}
    environment = {
        **os.environ,
        "NODE": "id3",
        "PEERS": " ".join(f"{node}={address}" for node, address in peers.items()),
        # nobody listens there
        "PORT": "1",
        "NAMES": "",
        "FINGERPRINT": "true",
        "TCP": (script.parent / "tcp.pl").read_text("utf-8"),
    }
    done = subprocess.run(["sh", script], env=environment, capture_output=True, text=True)
    tried = [line.split()[1:] for line in done.stdout.splitlines() if " peer=" in line]
    refused = ["refused", "Connection", "refused"]
    assert sorted(tried) == sorted([f"peer={address}", *refused] for address in peers.values())
    # 16 at a time: the one before id3 is left for the end
    assert tried[-1] == ["peer=127.0.0.2", *refused]
    assert done.stdout.endswith("id3 end=yes\n")


def test_times_as_docker_writes_them() -> None:
    assert parse_timestamp("1970-01-01T00:01:00Z").timestamp() == 60
    earlier, later = "2026-11-24T00:49:38.64474013Z", "2026-11-24T00:49:38.71000798Z"
    between = parse_timestamp(later) - parse_timestamp(earlier)
    assert round(between.total_seconds(), 3) == 0.065


def arm(number: int) -> Node:
    return node(number, attributes={"node.platform.arch": "aarch64"})


@pytest.mark.parametrize(
    "error",
    [
        "No such image: mpi:1",
        "task: non-zero exit (126)",
        "no matching manifest for linux/arm64 in the manifest list entries",
    ],
)
def test_a_node_without_an_image_for_its_processor_is_named(error: str) -> None:
    known = replace(
        WELL,
        nodes=(node(1, attributes={"node.platform.arch": "x86_64"}), arm(2)),
        platforms=("linux/amd64",),
        hosts={"id1": host(1)},
        hosts_errors={"id2": error},
    )
    (what,) = found(known, "bad")["image"]
    assert what == "node-2: its processor is aarch64, and the image is for linux/amd64"
    assert "look" not in found(known, "bad")
    (todo,) = [each.todo for each in doctor.examine(known) if each.what == what]
    assert todo.startswith("Set image.platforms to [linux/amd64, linux/arm64]")
    # where no group is placed, and where the probe was only late, there is nothing to do
    assert "image" not in found(replace(known, spare=frozenset({"id2"})), "bad")
    spare = found(replace(known, spare=frozenset({"id2"})), "ok")["image"]
    assert f"{what}, but no group is placed there" in spare
    slow = replace(known, late=frozenset({"id2"}), hosts_errors={"id2": "its container is ready"})
    assert "image" not in found(slow, "bad")


def test_images_are_compared_between_nodes_of_one_processor() -> None:
    known = replace(
        WELL,
        nodes=(node(1, attributes={"node.platform.arch": "x86_64"}), arm(2)),
        platforms=("linux/amd64", "linux/arm64"),
        hosts={"id1": host(1, image="a-x86_64"), "id2": host(2, image="b-aarch64")},
        attached={
            id: attached(images={"10.77.0.2": "a-x86_64", "10.77.0.3": "b-aarch64"})
            for id in ("id1", "id2")
        },
    )
    assert found(known, "bad") == {}
    other = host(2, image="c-x86_64")
    (what,) = found(replace(known, hosts={**known.hosts, "id2": other}), "bad")["image"]
    assert "not the same everywhere" in what


def test_a_node_that_emulates_the_image_is_named() -> None:
    machine = {"node.platform.arch": "x86_64"}
    known = replace(
        WELL,
        nodes=(node(1, attributes=machine), node(2, attributes=machine)),
        platforms=("linux/arm64",),
        hosts={"id1": host(1, image="a-aarch64"), "id2": host(2, image="a-aarch64")},
        attached={},
        workers=(),
        wanted={},
    )
    assert found(known, "bad") == {}
    assert found(known, "ok")["image"][0] == (
        "node-1, node-2: another processor than the image's, which is emulated: programs run slowly"
    )
