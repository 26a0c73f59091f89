#!/bin/sh
# The image of the commit, named after it. It is made of what is committed, not of what lies in the workspace.
set -eu
: "${IMAGE:?the name of the image without a tag, as app_blue_green_applications has it}"
release=$(ci/release.sh)
. ci/place.sh

unpack
docker build --build-arg "RELEASE=$release" --label "org.opencontainers.image.revision=$(git rev-parse HEAD)" \
    --tag "$IMAGE:$release" "$place/context"
echo "Built $IMAGE:$release."
