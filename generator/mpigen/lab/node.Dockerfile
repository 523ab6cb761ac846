# One node of a lab: a Docker engine in a container. `mpigen lab up` builds this once and tags it
# for each engine, by the hash of this file. docker-init, which comes with docker.io, is what
# `init: true` runs. Versions are not pinned: they are the base's.
ARG BASE=debian:trixie-slim
FROM $BASE
# hadolint ignore=DL3008
RUN apt-get update \
    && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends \
        ca-certificates docker.io iptables \
    # Debian 12 has the client in docker.io
    && if apt-cache show docker-cli >/dev/null 2>&1; then apt-get install -y --no-install-recommends docker-cli; fi \
    && rm -rf /var/lib/apt/lists/* /var/cache/apt/* /var/log/apt /var/log/dpkg.log
