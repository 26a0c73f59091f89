# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Helpers for the shell text of drift_kinds.py; sourced by bash in the node. OPERATOR is a password.
P=/opt/mooring
CHALL=mooring-acme_test_ca-challtestsrv-1
PEBBLE=mooring-acme_test_ca-pebble-1
PROXY=mooring-nginx_certbot-proxy-1
MYSQL=mooring-data_stores-mysql-1
REDIS=mooring-data_stores-redis-1
RESOLVE="--resolve mooring.test:8443:127.0.0.1"

# A field of a container; nothing where there is none.
field() { docker inspect --format "$2" "$1" 2>/dev/null || echo none; }
state() { field "$1" '{{.Name}} {{.State.Status}} {{if .State.Health}}{{if eq .State.Health.Status "unhealthy"}}unhealthy{{end}}{{end}}'; }
image_is_tag() { [ "$(field "$1" '{{.Image}}')" = "$(docker image inspect --format '{{.Id}}' "$2")" ] && echo same || echo other; }
networks() { field "$1" '{{range $name, $net := .NetworkSettings.Networks}}{{$name}} {{range $net.Aliases}}{{.}} {{end}}{{end}}' | sed -E 's/\b[0-9a-f]{12}\b//g'; }
file() { stat --format '%F %a %U:%G %N' "$1" 2>/dev/null || echo missing; [ ! -f "$1" ] || sha256sum < "$1"; }
# Recreate a service by hand with another definition.
by_hand() {
    printf 'services: {%s: %s}\n' "$2" "$3" > /root/by_hand.yml
    docker compose --project-directory "$P/$1" -f "$P/$1/compose.yml" -f /root/by_hand.yml up --detach --no-deps "$2"
}
sql() { docker exec -i $MYSQL sh -c 'MYSQL_PWD=$(cat /run/secrets/root_password) mysql --user=root --batch --skip-column-names' 2>&1; }
account() {
    sql <<< "SELECT user, host, ssl_type, max_user_connections, account_locked FROM mysql.user WHERE user IN ('report', 'demo', 'health') ORDER BY user"
    for name in report demo; do sql <<< "SHOW GRANTS FOR $name@'%'" | sort; done
}
report_login() { docker exec -e MYSQL_PWD="$OPERATOR" $MYSQL mysql --protocol=TCP --host=127.0.0.1 --user=report --batch --skip-column-names --execute 'SELECT 1' 2>&1 | tail -1; }
redis_as() { who=$1; shift; docker exec -e REDISCLI_AUTH="$OPERATOR" $REDIS redis-cli -h 127.0.0.1 --user "$who" --no-auth-warning "$@" 2>&1 | tail -1; }
# Let Redis read an edited account file, then put the file back as it was.
redis_accounts() {
    cp -p $P/data_stores/secrets/redis/users.acl /root/users.acl
    sed -i "$1" $P/data_stores/secrets/redis/users.acl
    docker exec $REDIS sh /etc/mooring/bin/redis.sh ACL LOAD
    cp -p /root/users.acl $P/data_stores/secrets/redis/users.acl
}
reload_proxy() { docker exec $PROXY nginx -s reload -c /etc/mooring/nginx.conf; sleep 1; }
served() { openssl s_client -connect 127.0.0.1:8443 -servername mooring.test </dev/null 2>/dev/null | openssl x509 -noout -fingerprint -sha256; }
certificate() {
    here=$P/nginx_certbot/certificates/platform
    openssl verify -CAfile $P/acme_test_ca/root.pem -untrusted $here/chain.pem $here/cert.pem >/dev/null 2>&1 && echo trusted || echo not trusted
    [ "$(served)" = "$(openssl x509 -in $here/cert.pem -noout -fingerprint -sha256 2>/dev/null)" ] && echo served || echo not served
    stat -L --format '%a %U' $here/privkey.pem 2>&1
}
self_signed() {
    mkdir -p "$1"
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 90 -subj /CN=mooring.test \
      -addext subjectAltName=DNS:mooring.test -keyout "$1/privkey.pem" -out "$1/cert.pem" 2>/dev/null
    cp "$1/cert.pem" "$1/fullchain.pem"; : > "$1/chain.pem"
    chmod 0444 "$1"/*.pem; chown 101:101 "$1/privkey.pem"; chmod 0400 "$1/privkey.pem"
}
switch() { curl -s --unix-socket $P/nginx_certbot/run/control.sock "$@" http://control/releases/demo; }
TIMER=mooring-drift.timer
TIMER_FILE=/etc/systemd/system/$TIMER
RELEASE=$P/nginx_certbot/releases/demo
other_colour() { [ "$(cat $RELEASE)" = blue ] && echo green || echo blue; }
app_container() { echo "mooring-demo-$(cat $RELEASE)-app-1"; }
answers() { curl -ks --output /dev/null --write-out '%{http_code}' $RESOLVE https://mooring.test:8443/api/hello; }
daemon_key() { python3 -c "import json; print(json.dumps(json.load(open('/etc/docker/daemon.json')), sort_keys=True))"; }
# Note a file in a project's manifest, as if an earlier version had written it.
formerly_managed() {
    python3 - "$P/$1/.mooring/manifest.json" "$2" << 'EOF'
import json, sys
path, name = sys.argv[1:]
with open(path) as stream:
    manifest = json.load(stream)
manifest["files"][name] = "file 0644 0:0 0"
with open(path, "w") as stream:
    json.dump(manifest, stream)
EOF
}
