#!/bin/sh
# The image to its registry, with a login that is gone afterwards.
set -eu
: "${IMAGE:?the name of the image without a tag}" "${REGISTRY_USER:?}" "${REGISTRY_PASSWORD:?}"
release=$(ci/release.sh)
. ci/place.sh

docker push "$IMAGE:$release"
