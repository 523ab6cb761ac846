"""Config -> Cluster: derives every number and name of the cluster, once."""

from dataclasses import replace

from mpigen.cluster import shm
from mpigen.cluster.installation import Installation, installation
from mpigen.cluster.model import Cluster, Group, Mount, Program, starts_daemons_flat
from mpigen.cluster.variants import Variant, variants_by_group
from mpigen.config.checks_stack import own_keys
from mpigen.config.models import Config
from mpigen.config.models_image import App
from mpigen.config.models_workers import Launcher, Storage, Workers
from mpigen.distros import release_of
from mpigen.mpi import IMPLEMENTATIONS
from mpigen.mpi.base import Implementation
from mpigen.package_managers import manager_of
from mpigen.stackfile.merge import Addition
from mpigen.stackfile.schema import needed_version


def plan(config: Config) -> Cluster:
    """The cluster that `config` describes; `config` must have passed `checks.conflicts`."""
    mpi = IMPLEMENTATIONS[config.mpi.implementation]
    tag = config.image.tag or f"{config.name}:latest"
    manager = manager_of(config.image.base, config.image.package_manager)
    installed = installation(config, manager)
    python = config.app is not None and bool(config.app.python)
    packages = _packages(
        installed.runtime,
        () if config.brings_mpi else manager.needed,
        manager.python if python else (),
        config.image.packages,
    )
    variants = variants_by_group(config.workers, tag, packages)
    groups = tuple(_group(workers, variants.get(workers.name)) for workers in config.workers)
    release = release_of(config.image.base)
    packaged = release is not None and not config.brings_mpi and not installed.wheels
    unloaded = release.unloaded if release and packaged and not config.image.gpu_runtimes else ()
    return Cluster(
        name=config.name,
        image=config.image,
        network=config.network,
        user=config.user,
        ssh=config.ssh,
        tag=tag,
        runtime_packages=packages,
        first_packages=release.first_packages if release else (),
        unloaded=tuple(each for each in unloaded if config.mpi.implementation in each.mpi),
        build_packages=_packages(
            installed.build,
            manager.python_build if python else (),
            config.image.build_packages,
        ),
        manager=manager,
        installation=installed,
        brings_mpi=config.brings_mpi,
        known_base=release is not None,
        app=_program(config.app),
        mpi=mpi,
        params=_params(mpi, installed, groups, config.mpi.params),
        subnet=str(config.subnet),
        groups=groups,
        launcher=_launcher(config.launcher) if config.launcher else None,
        mounts=tuple(_mount(storage) for storage in config.storage),
        engine=config.release,
        quick=config.release >= (25, 0),
        stack_version=needed_version(
            [(value, part) for _, value, part in own_keys(config)], config.release
        ),
        additions=_additions(config),
    )


def _additions(config: Config) -> tuple[Addition, ...]:
    """The site's own keys for stack.yml: for the whole file first, then network and groups."""
    network = Addition(("networks", config.network.name), config.network.stack, "network.stack")
    groups = [
        Addition(("services", group.name), group.stack, f"workers[{index}].stack")
        for index, group in enumerate(config.workers)
    ]
    every = (Addition((), config.stack, "stack"), network, *groups)
    return tuple(addition for addition in every if addition.value)


def _group(workers: Workers, variant: Variant | None) -> Group:
    slots = workers.slots or max(1, int(float(workers.cpus or 1)) // (workers.threads or 1))
    return Group(
        name=workers.name,
        mode=workers.mode,
        replicas=workers.replicas,
        slots=slots,
        threads=workers.threads,
        cpus=workers.cpus,
        memory=workers.memory,
        shm=workers.shm or shm.size(slots, workers.memory),
        constraints=tuple(workers.constraints),
        max_per_node=workers.max_per_node,
        generic=dict(workers.generic),
        variant=variant,
    )


def _launcher(launcher: Launcher) -> Group:
    return Group(
        name=launcher.name,
        mode="replicated",
        replicas=1,
        slots=0,
        threads=None,
        cpus=None,
        memory=None,
        shm=shm.DEFAULT,
        constraints=tuple(launcher.constraints),
        max_per_node=None,
        generic={},
    )


def _mount(storage: Storage) -> Mount:
    mount = Mount(
        type="volume" if storage.type == "nfs" else storage.type,
        target=storage.target,
        source=storage.source if storage.type in ("volume", "bind") else None,
        volume=storage.volume,
        driver_opts={},
        size=storage.size,
        read_only=storage.read_only,
        shared=storage.is_shared,
    )
    if storage.type != "nfs":
        return mount
    name = storage.volume
    options = [f"addr={storage.server}", "ro" if storage.read_only else "rw"]
    options += [storage.options] if storage.options else []
    opts = {"type": "nfs", "o": ",".join(options), "device": f":{storage.source}"}
    return replace(mount, source=name, driver_opts=opts)


def _program(app: App | None) -> Program | None:
    if app is None:
        return None
    build = app.build or (None if app.python else "make install")
    return Program(app.source, build, tuple(app.python), app.bin, app.check)


def _packages(*lists: tuple[str, ...] | list[str]) -> tuple[str, ...]:
    return tuple(sorted({package for packages in lists for package in packages}))


def _params(
    mpi: Implementation, installed: Installation, groups: tuple[Group, ...], own: dict[str, str]
) -> dict[str, dict[str, str]]:
    """MPI's parameters by the name of their file; the user's `own` override mpigen's.

    The names are those of the installed version, and the oldest ones if it is not known.
    """
    # Ranks are bound to cores only if no two containers share a node.
    alone = len(groups) == 1 and (groups[0].max_per_node == 1 or groups[0].mode == "global")
    found = {}
    for file in mpi.params_files:
        params = {
            **file.params,
            **({} if alone else file.unbound),
            **(file.flat if starts_daemons_flat(groups) else {}),
        }
        found[file.name] = {
            file.name_since(name, installed.major): value for name, value in params.items()
        } | own
    return found
