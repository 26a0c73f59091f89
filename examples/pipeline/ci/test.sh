#!/bin/sh
# The tests, which are never left out: without any there is no release.
set -eu
. ci/place.sh

# A stage of the Dockerfile that runs them needs nothing but Docker here. It is called test; one that is called otherwise
# may as well leave them out, so somebody has to say that it does not. Docker takes names in any capitals.
stage=${TEST_STAGE:-}
if [ -z "$stage" ]; then
    stage=$(tr -d '\r' <Dockerfile |
        sed -n 's/^[[:space:]]*FROM[[:space:]].*[[:space:]]AS[[:space:]]\{1,\}\(test\)[[:space:]]*$/\1/Ip')
fi
if [ -n "$stage" ]; then
    : "${IMAGE:?the name of the image without a tag}"
    unpack
    before=$(docker images --quiet --no-trunc "$IMAGE:test")
    docker build --target "$stage" --tag "$IMAGE:test" "$place/context"
    # One is kept, because the next build begins with it; nobody else would ever remove those before.
    if [ -n "$before" ] && [ "$before" != "$(docker images --quiet --no-trunc "$IMAGE:test")" ]; then
        if ! docker image rm "$before" >/dev/null; then
            echo "The image of the tests before stays: something is made of it."
        fi
    fi
elif ls tests/test*.py >/dev/null 2>&1; then
    python3 -m unittest discover --start-directory tests
else
    echo "No tests: give the Dockerfile a stage 'test' that runs them, name the one that does (TEST_STAGE), or give the" \
        "repository tests/test*.py." >&2
    exit 1
fi
