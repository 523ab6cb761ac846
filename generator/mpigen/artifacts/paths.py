"""Paths below output/ that several modules need."""

MANIFEST = "manifest.json"
STACK = "stack.yml"
DOCKERFILE = "Dockerfile"
BUILD_SCRIPT = "scripts/build.sh"

KEYS = "keys"
"""The folder of the key pairs: public halves are artifacts, private ones are ignored by git."""
USER_KEY = "id_ed25519"
HOST_KEY = "ssh_host_ed25519_key"
PRIVATE_KEYS = (f"{KEYS}/{USER_KEY}", f"{KEYS}/{HOST_KEY}")
