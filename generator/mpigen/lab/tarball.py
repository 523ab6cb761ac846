"""Write a root file system as an image that engines load."""

import hashlib
import io
import json
import tarfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from mpigen.notation.platforms import architecture

_CHUNK = 1 << 20


def write(layer: Path, image: Path, name: str, platform: str) -> None:
    """Write the tar `layer` into the tar `image`, as an image `name` for `platform`.

    The format is that of `docker save`. `docker import` would mark the image with the engine's own
    platform: Docker 20.10 does so even with --platform.
    """
    digest = hashlib.sha256()
    with layer.open("rb") as opened:
        while chunk := opened.read(_CHUNK):
            digest.update(chunk)
    config = {
        "architecture": architecture(platform),
        "os": "linux",
        "created": datetime.now(UTC).isoformat(),
        "config": {"Cmd": ["bash"]},
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{digest.hexdigest()}"]},
        "history": [{"created_by": "mmdebstrap"}],
    }
    manifest = [{"Config": "config.json", "RepoTags": [name], "Layers": ["layer.tar"]}]
    with tarfile.open(image, "w") as archive:
        for path, document in (("config.json", config), ("manifest.json", manifest)):
            _add(archive, path, document)
        archive.add(layer, "layer.tar")


def _add(archive: tarfile.TarFile, path: str, document: Any) -> None:
    data = json.dumps(document).encode()
    entry = tarfile.TarInfo(path)
    entry.size = len(data)
    archive.addfile(entry, io.BytesIO(data))
