"""The identity of an image: the same on every engine that has it.

An id depends on the engine's image store: it is the hash of the image's configuration, or with
containerd's, the default of Docker 29, that of its manifest. deploy.sh computes the same identity
with a template of Go, which prints the keys of a map in order.
"""

import hashlib

from docker.models.images import Image


def identity(image: Image) -> str:
    """The identity of an image, in the form of an id."""
    layers = " ".join(image.attrs["RootFS"].get("Layers") or ())
    labels = " ".join(f"{key}:{value}" for key, value in sorted((image.labels or {}).items()))
    text = f"{image.attrs.get('Created', '')} [{layers}] map[{labels}]"
    return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"
