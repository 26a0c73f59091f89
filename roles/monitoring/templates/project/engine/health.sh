#!/bin/sh
# Whether the engine answers through the mounted socket.
set -eu
status=$(curl -sS -o /dev/null -w '%{http_code}' http://127.0.0.1:8081/healthz) || exit 1
[ "$status" = 200 ] && exit 0
# It is the engine that runs this check, so it is alive. Where it refuses, it was started anew and listens at a new
# socket, while this container lived on (live-restore) with the old one. Only a start mounts the new one.
[ "$status" = 502 ] && kill -s TERM 1
exit 1
