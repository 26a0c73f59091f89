#!/bin/sh
# The tests, which are never left out: without any there is no release.
set -eu

# A stage of the Dockerfile that runs them needs nothing but Docker here.
stage=$(sed -n 's/^FROM .* AS \(test\|build\)$/\1/p' Dockerfile | head -n 1)
if [ -n "$stage" ]; then
    : "${IMAGE:?the name of the image without a tag}"
    place=$(mktemp -d)
    trap 'rm -rf "$place"' EXIT
    git archive --output "$place/context.tar" HEAD
    before=$(docker images --quiet --no-trunc "$IMAGE:test")
    docker build --target "$stage" --tag "$IMAGE:test" - <"$place/context.tar"
    # One is kept, because the next build begins with it; nobody else would ever remove those before.
    if [ -n "$before" ] && [ "$before" != "$(docker images --quiet --no-trunc "$IMAGE:test")" ]; then
        if ! docker image rm "$before" >/dev/null; then
            echo "The image of the tests before stays: something is made of it."
        fi
    fi
elif ls tests/test*.py >/dev/null 2>&1; then
    python3 -m unittest discover --start-directory tests
else
    echo "No tests: give the Dockerfile a stage 'test' or 'build' that runs them, or the repository tests/test*.py." >&2
    exit 1
fi
