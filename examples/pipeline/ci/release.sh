#!/bin/sh
# The name of what is built: the commit, and nothing that is not in it.
set -eu
if ! git diff --quiet HEAD --; then
    echo "Files differ from the commit; an image of them would have a name that lies." >&2
    exit 1
fi
git rev-parse --short=12 HEAD
