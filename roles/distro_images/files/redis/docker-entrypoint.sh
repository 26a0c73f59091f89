#!/usr/bin/env bash
# Starts redis-server; a configuration file or options may be given alone.
# Started as root, it gives up root first.
set -euo pipefail

[[ ${1:-} != -* && ${1:-} != *.conf ]] || set -- redis-server "$@"

if [[ ${1:-} == redis-server && $(id -u) == 0 ]]; then
    find /data ! -user redis -exec chown redis:redis {} +
    exec setpriv --reuid=redis --regid=redis --clear-groups "$0" "$@"
fi
umask 0077
exec "$@"
