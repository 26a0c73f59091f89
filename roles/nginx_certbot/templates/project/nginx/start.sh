#!/bin/sh
# nginx leaves its socket behind when it is killed, and then cannot bind it again.
# No other nginx can be using it: this one is the only one in its container.
set -eu
rm -f /run/mooring/control.sock
exec nginx -c /etc/mooring/nginx.conf -g 'daemon off;'
