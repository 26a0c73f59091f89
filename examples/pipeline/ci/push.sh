#!/bin/sh
# The image to its registry, with a login that is gone afterwards.
set -eu
: "${IMAGE:?the name of the image without a tag}" "${REGISTRY_USER:?}" "${REGISTRY_PASSWORD:?}"
release=$(ci/release.sh)
DOCKER_CONFIG=$(mktemp -d)
export DOCKER_CONFIG
trap 'rm -rf "$DOCKER_CONFIG"' EXIT

printf '%s' "$REGISTRY_PASSWORD" | docker login --username "$REGISTRY_USER" --password-stdin "${IMAGE%%/*}"
docker push "$IMAGE:$release"
