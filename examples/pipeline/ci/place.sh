#!/bin/sh
# Read by the other files: $place is a directory of this step's own, which is gone when the step ends, and with it the
# login at the registry. It is not in /tmp, which is memory in Jenkins' container.
set -eu
mkdir -p "${WORKSPACE_TMP:=${TMPDIR:-/tmp}}"
place=$(mktemp -d "$WORKSPACE_TMP/step.XXXXXX")
trap 'rm -rf "$place"' EXIT
# A signal, such as that of a build that is aborted, would end this shell without what is said above.
trap 'exit 143' HUP INT TERM

# What is committed and nothing else, as a directory: of an archive BuildKit does not read .dockerignore.
unpack() {
    git archive --output "$place/context.tar" HEAD
    mkdir "$place/context"
    tar -xf "$place/context.tar" -C "$place/context"
    rm "$place/context.tar"
}

# The base images of a build may be as private as what it pushes.
if [ -n "${REGISTRY_PASSWORD:-}" ]; then
    : "${IMAGE:?the name of the image without a tag}" "${REGISTRY_USER:?}"
    DOCKER_CONFIG=$place/docker
    export DOCKER_CONFIG
    mkdir -m 0700 "$DOCKER_CONFIG"
    # As the engine reads a name: what has no dot, no port and is not localhost is a part of a name on Docker Hub.
    registry=${IMAGE%%/*}
    case $registry in
        "$IMAGE") registry=docker.io ;;
        *.*|*:*|localhost) ;;
        *) registry=docker.io ;;
    esac
    printf '%s' "$REGISTRY_PASSWORD" | docker login --username "$REGISTRY_USER" --password-stdin "$registry"
    unset REGISTRY_PASSWORD
fi
