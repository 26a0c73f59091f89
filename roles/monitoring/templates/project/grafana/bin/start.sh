#!/bin/sh
# Grafana reads its administrator's password when it makes its database and never again. A later
# change of the declared one is a new container: this sets it then, before anybody can log in.
set -eu
if [ -f /var/lib/grafana/grafana.db ]; then
    grafana cli --homepath /usr/share/grafana admin reset-admin-password --password-from-stdin \
        < /run/secrets/admin_password > /dev/null
fi
exec /run.sh
