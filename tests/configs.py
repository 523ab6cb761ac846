"""Valid sites, made up: hypothesis strategies for what mpigen.yaml may hold."""

import string
from typing import Any

from hypothesis import strategies as st

Data = dict[str, Any]

_WORD = string.ascii_lowercase + string.digits


def labels(size: int = 12) -> st.SearchStrategy[str]:
    """DNS labels of at most `size` characters."""
    return st.from_regex(rf"[a-z]([a-z0-9-]{{0,{size - 2}}}[a-z0-9])?", fullmatch=True)


lines = st.text(st.characters(codec="utf-8", categories=["L", "N", "P", "S", "Zs"]), min_size=1)
one_line = lines.filter(lambda text: bool(text.strip()) and text.isprintable())
commands = st.lists(one_line, min_size=1, max_size=3).map("\n".join)
param_values = one_line.filter(
    lambda text: text == text.strip() and not any(sign in text for sign in '#"')
)
# what JSON can say, and `environment` takes
values = st.one_of(
    st.text(st.characters(codec="utf-8", categories=["L", "N", "P", "S", "Zs"])).filter(
        str.isprintable
    ),
    st.integers(1 - 2**63, 2**63 - 1),
)


def some(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[Data]:
    """A mapping that has any of `fields`."""
    return st.fixed_dictionaries({}, optional=fields)


def groups(name: str) -> st.SearchStrategy[Data]:
    """A group of workers called `name`."""
    return st.fixed_dictionaries(
        {"name": st.just(name)},
        optional={
            "replicas": st.integers(1, 9),
            "slots": st.integers(1, 64),
            "cpus": st.one_of(st.integers(1, 64), st.sampled_from(["0.5", "1.25", 2.5])),
            "memory": st.sampled_from(["1g", "512m", "4 GiB", 2**30]),
            "shm": st.sampled_from(["64m", "256MB", 4096]),
            "constraints": st.lists(
                st.sampled_from(
                    ["node.role==worker", "node.labels.rack!=b 2", "engine.labels.os == linux"]
                ),
                max_size=2,
            ),
            "max_per_node": st.integers(1, 9),
            "threads": st.integers(1, 8),
            "generic": st.dictionaries(
                st.sampled_from(["NVIDIA-GPU", "fpga", "x.y_z"]), st.integers(1, 8), max_size=2
            ),
            "stack": some(
                environment=st.dictionaries(labels(), values, max_size=3),
                stop_signal=st.sampled_from(["SIGTERM", "SIGINT"]),
                volumes=st.lists(
                    st.sampled_from(["/srv/data:/mnt/data", "/srv/tmp:/t"]), max_size=2, unique=True
                ),
                labels=st.dictionaries(labels(), one_line, max_size=2),
            ),
        },
    )


storage: st.SearchStrategy[list[Data]] = st.lists(
    st.sampled_from(
        [
            {"target": "/data", "source": "kept"},
            {"target": "/in", "type": "bind", "source": "/srv/in", "read_only": True},
            {"target": "/home/all", "type": "nfs", "server": "files", "source": "/export/home"},
            {
                "target": "/sw",
                "type": "nfs",
                "server": "192.0.2.7",
                "source": "/export/sw",
                "options": "nfsvers=4.2,hard",
                "read_only": True,
            },
            {"target": "/scratch", "type": "tmpfs", "size": "64m"},
            {"target": "/both", "type": "bind", "source": "/srv/both", "shared": True},
        ]
    ),
    max_size=5,
    unique_by=lambda each: each["target"],
)


def _workers(names: list[str]) -> st.SearchStrategy[list[Data]]:
    return st.tuples(*map(groups, names)).map(list)


def _consistent(site: Data) -> Data:
    """`site` without what contradicts other fields of it."""
    image = site.get("image", {})
    if "app" not in site:
        image.pop("build_packages", None)
    if "tag" not in image:
        image.pop("distribute", None)
    image["endpoints"] = {url: node for node, url in image.get("endpoints", {}).items()}
    image["endpoints"] = {node: url for url, node in image["endpoints"].items()}
    return site


sites: st.SearchStrategy[Data] = st.fixed_dictionaries(
    {"name": labels()},
    optional={
        "image": some(
            base=st.sampled_from(["debian:bookworm-slim", "registry.example.org:5000/a/b:1"]),
            tag=labels().map(lambda name: f"registry:5000/{name}:v1.0_x"),
            distribute=st.sampled_from(["load", "registry"]),
            endpoints=st.dictionaries(
                labels(), labels().map(lambda host: f"ssh://me@{host}"), max_size=2
            ),
            packages=st.lists(st.sampled_from(["gdb", "hwloc", "vim=2:9.1-1"]), max_size=3),
            gpu_runtimes=st.booleans(),
            build_packages=st.lists(st.sampled_from(["gfortran", "libfftw3-dev"]), max_size=2),
        ),
        "app": st.fixed_dictionaries(
            {"source": st.just("app")},
            optional={
                "build": commands,
                "bin": st.sampled_from(["/opt/app/bin", "/srv/b-1"]),
                "check": one_line,
            },
        ),
        "mpi": some(
            params=st.dictionaries(
                st.from_regex(r"x_[a-z0-9_]{0,20}", fullmatch=True),
                st.one_of(param_values, st.integers(-(2**63) + 1, 2**63 - 1), st.booleans()),
                max_size=3,
            )
        ),
        "user": some(
            name=labels().map(lambda name: f"u_{name}"),
            uid=st.integers(101, 65533),
            gid=st.integers(101, 65533),
        ),
        "network": some(
            name=labels(),
            subnet=st.integers(0, 255).map(lambda third: f"10.3.{third}.0/24"),
            mtu=st.integers(1280, 9000),
            stack=some(internal=st.booleans()),
        ),
        "workers": st.lists(labels(), min_size=1, max_size=3, unique=True).flatmap(_workers),
        "storage": storage,
        # longer than the name of any group
        "launcher": some(name=st.just("their-launcher")),
        "ssh": some(port=st.integers(1024, 65535), delivery=st.sampled_from(["image", "secret"])),
        "stack": some(volumes=st.just({"data": None, "tmp": {"driver": "local"}})),
    },
).map(_consistent)
