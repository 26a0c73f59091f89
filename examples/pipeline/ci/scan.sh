#!/bin/sh
# Known holes in the image end the build. The scanner is an image with the command line of Trivy.
set -eu
: "${IMAGE:?the name of the image without a tag}"
release=$(ci/release.sh)

case ${SCAN_IMAGE:-} in
    '')
        echo "No scanner is declared (SCAN_IMAGE), so $IMAGE:$release was not looked at."
        exit 0
        ;;
    *@sha256:*) ;;
    *)
        # It gets the engine's socket, and tags of scanners have been replaced by others before.
        echo "SCAN_IMAGE has to be pinned by its digest: name@sha256:..." >&2
        exit 1
        ;;
esac
# What it knows of holes is kept in a volume: servers that give it away limit how often one may ask.
docker run --rm --volume /var/run/docker.sock:/var/run/docker.sock:ro --volume "${SCAN_CACHE:-scan-cache}:/cache" \
    "$SCAN_IMAGE" image --cache-dir /cache --exit-code 1 --severity HIGH,CRITICAL --ignore-unfixed "$IMAGE:$release"
