# Makes what the server needs and has not yet, then becomes the server.
#
# The cluster is made next to its place and moved there when it is complete, so
# that one whose creation was killed is made anew, and one that is in its place is
# never touched. The image's own entry point is left out: it takes a cluster for
# complete as soon as initdb has begun.
set -eu
umask 077

volume=/var/lib/postgresql/data
new=$PGDATA.new

if [ ! -e "$PGDATA" ]; then
    for path in "$volume"/*; do
        case ${path##*/} in
            "${new##*/}" | tls | data | lost+found | '*') ;;
            *)
                echo "ERROR: ${path##*/} is no part of ours, so this volume may hold somebody's data; nothing was" \
                    "changed. A cluster that lies at the top of the volume belongs into ${PGDATA##*/}/." >&2
                exit 1
                ;;
        esac
    done
    rm -rf "$new"
    initdb --pgdata="$new" --username=postgres --pwfile=/run/secrets/admin_password --auth=scram-sha-256 \
        --encoding=UTF8 --locale=C.UTF-8 --data-checksums
    mv "$new" "$PGDATA"
    sync -f "$volume"
fi

# The role of the health check, at each start: a run can mend a role only on a server
# that is healthy, and starts one anew that is not. One process reads the statements,
# one a line, and nobody else can reach it.
postgres --single -c config_file=/etc/mooring/conf.d/postgresql.conf -c log_checkpoints=off postgres \
    </run/secrets/health.sql >/dev/null

# Clients encrypt with it and do not check it, as with the one that MySQL makes itself.
# Anew in its last month, which a server sees that is started then.
if ! openssl x509 -in "$volume/tls/server.crt" -noout -checkend 2592000 >/dev/null 2>&1; then
    rm -rf "$volume/tls.new"
    mkdir -p "$volume/tls.new"
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 3650 \
        -subj /CN=postgres -addext subjectAltName=DNS:postgres \
        -keyout "$volume/tls.new/server.key" -out "$volume/tls.new/server.crt"
    rm -rf "$volume/tls"
    mv "$volume/tls.new" "$volume/tls"
fi

exec postgres -c config_file=/etc/mooring/conf.d/postgresql.conf
