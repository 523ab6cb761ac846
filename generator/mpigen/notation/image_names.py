"""Image references: `[registry/]name[:tag][@digest]`, and the names of a cluster's images."""


def repository(image: str) -> str:
    """Return the reference without tag and digest: `host:5000/a/b:v1` -> `host:5000/a/b`."""
    name = image.partition("@")[0]
    head, slash, last = name.rpartition("/")
    return head + slash + last.partition(":")[0]


def tag(image: str) -> str:
    """Return the tag of a reference without a digest; `latest` if it has none, as in Docker."""
    return image[len(repository(image)) + 1 :] or "latest"


def with_tag(image: str, other: str) -> str:
    """Return the reference with another tag: `host:5000/a/b:v1` -> `host:5000/a/b:other`."""
    return f"{repository(image)}:{other}"


def registry(image: str) -> str:
    """Return the registry's host; empty for Docker Hub."""
    host, slash, _ = image.partition("/")
    # by Docker's rule a host has a dot or a port, or is localhost
    return host if slash and ("." in host or ":" in host or host == "localhost") else ""


def familiar(image: str) -> str:
    """Return the repository as engines print it: `docker.io/library/debian:12` -> `debian`."""
    name = repository(image)
    for prefix in ("docker.io/", "index.docker.io/"):
        if name.startswith(prefix):
            return name.removeprefix(prefix).removeprefix("library/")
    return name


def add_variant(image: str, name: str) -> str:
    """Return the image of a variant: `mpi:1` -> `mpi:1-gpu`. Without a name, the image itself."""
    if not name:
        return image
    tagged = ":" in image.rpartition("/")[2]
    return f"{image}{'' if tagged else ':latest'}-{name}"


def add_architecture(image: str, architecture: str) -> str:
    """Return the name of an image for one kind of processor: `mpi:1` -> `mpi:1.arm64`.

    A digest becomes a tag. The dot keeps it apart from variants, whose names have none.
    """
    name, _, digest = image.partition("@")
    end = digest.replace(":", "-") if digest else tag(name)
    return f"{repository(name)}:{end}.{architecture}"


def strip_variant(image: str, name: str) -> str:
    """`mpi:1-gpu` -> `mpi:1`. A digest is returned unchanged."""
    return image if "@" in image else image.removesuffix(f"-{name}") if name else image


def image_variable(name: str) -> str:
    """Return the variable of deploy.sh for a variant's image; without a name, the cluster's."""
    return f"IMAGE_{name.upper().replace('-', '_')}" if name else "IMAGE"
