# One node of a lab: a Docker engine in a container. `mpigen lab up` builds this once and tags it
# by the hash of this file. docker-init, which comes with docker.io, is what `init: true` runs.
# Versions are not pinned: any engine of Debian 13's is a node.
FROM debian:trixie-slim
# hadolint ignore=DL3008
RUN apt-get update \
    && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends \
        ca-certificates docker-cli docker.io iptables \
    && rm -rf /var/lib/apt/lists/* /var/cache/apt/* /var/log/apt /var/log/dpkg.log
