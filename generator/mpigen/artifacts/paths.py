"""Paths below output/, and in the image, that more than one module has to know."""

MANIFEST = "manifest.json"
STACK = "stack.yml"
DOCKERFILE = "Dockerfile"
DOCKERIGNORE = ".dockerignore"
ROOTFS = "rootfs"
"""The folder of the files that are copied to the image's root."""
VERIFY = "verify"
IGNORE = ".gitignore"
ATTRIBUTES = ".gitattributes"

BUILD_SCRIPT = "scripts/build.sh"
DEPLOY_SCRIPT = "scripts/deploy.sh"
DOWN_SCRIPT = "scripts/down.sh"
RUN_SCRIPT = "scripts/run.sh"

KEYS = "keys"
"""The folder of the key pairs: public halves are artifacts, private ones are ignored by git."""
USER_KEY = "id_ed25519"
HOST_KEY = "ssh_host_ed25519_key"
PRIVATE_KEYS = (f"{KEYS}/{USER_KEY}", f"{KEYS}/{HOST_KEY}")

MPI_IN_IMAGE = "/etc/mpi"
"""The image's folder for the user's key and the settings of MPI."""
USER_KEY_IN_IMAGE = f"{MPI_IN_IMAGE}/{USER_KEY}"
KNOWN_HOSTS_IN_IMAGE = "/etc/ssh/ssh_known_hosts"
AUTHORIZED_KEYS_IN_IMAGE = f"{MPI_IN_IMAGE}/authorized_keys"
PROGRAMS_IN_IMAGE = "/usr/local/bin"

CONTEXT = (DOCKERFILE, DOCKERIGNORE, ROOTFS)
"""What scripts/build.sh always copies to the build context."""
CONTEXT_SOURCE = "app"
"""The program's sources in the build context."""
NO_SOURCES = (
    "..*",
    ".git",
    ".mpigen*",
    ".venv",
    "venv",
    "mpigen.yaml",
    "mpigen.schema.json",
    "report.html",
    "report.json",
)
"""With `app.source: .` these are no sources, and neither is a rendered folder, which has keys."""
CONTEXT_CA = "ca.pem"
"""The additional certificate authority in the build context."""
