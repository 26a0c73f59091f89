#!/usr/bin/env bash
# Starts postgres; creates the database cluster first if the data directory is empty.
#
# POSTGRES_PASSWORD     password of the superuser, required for the first start
# POSTGRES_USER         name of the superuser, default postgres
# POSTGRES_DB           a database to create, default one of the superuser's name
# Each of them can be given as <NAME>_FILE, the path of a file with the value.
# POSTGRES_INITDB_ARGS  more arguments for initdb
# /docker-entrypoint-initdb.d/*.sql and *.sql.gz run once, in alphabetical order.
#
# The cluster is made in a directory of its own inside the data directory and
# moved up when it is complete, PG_VERSION last. So a data directory without
# PG_VERSION that has that directory holds nothing of value and is made anew,
# and one with PG_VERSION is never touched.
set -Eeuo pipefail
shopt -s nullglob dotglob

NEW_NAME=.mooring-new

say() { printf '%s [entrypoint] %s\n' "$(date --utc +%FT%TZ)" "$*" >&2; }
die() { say "ERROR: $*"; exit 1; }

# Sets NAME from NAME_FILE where that is given, and keeps NAME out of the server's environment.
read_setting() {
    local name=$1 file_variable=${1}_FILE value=${2:-}
    if [[ -n ${!name:-} && -n ${!file_variable:-} ]]; then
        die "Both $name and $file_variable are set. Give only one of them."
    fi
    if [[ -n ${!name:-} ]]; then
        value=${!name}
    elif [[ -n ${!file_variable:-} ]]; then
        [[ -r ${!file_variable} ]] || die "$file_variable: uid $(id -u) cannot read ${!file_variable}."
        value=$(<"${!file_variable}")
    fi
    unset "$name"
    printf -v "$name" '%s' "$value"
}

# Runs a program as a child that SIGINT and SIGTERM reach: the shell is PID 1 and answers signals only in `wait`.
CHILD=
run() { "$@" & CHILD=$!; wait "$CHILD"; }
stop_early() {
    say "Stopped before the database cluster was complete; the next start makes it anew."
    [[ -z $CHILD ]] || kill -TERM "$CHILD" 2>/dev/null || true
    [[ -z ${SERVER:-} ]] || kill -QUIT "$SERVER" 2>/dev/null || true
    exit 143
}

sql() { psql --quiet --no-psqlrc --set=ON_ERROR_STOP=1 --host="$NEW" --username="$POSTGRES_USER" --dbname="$@"; }

wait_for_server() {
    local attempt
    for ((attempt = 0; attempt < 600; attempt++)); do
        if sql postgres --command='SELECT 1' &>/dev/null; then return 0; fi
        kill -0 "$SERVER" 2>/dev/null || die "The server ended while the database cluster was being made; see above."
        run sleep 0.2
    done
    die "The server did not answer within 120 s while the database cluster was being made."
}

initialise() {
    [[ -n $POSTGRES_PASSWORD ]] ||
        die "The data directory is empty and there is no password for the superuser. Set POSTGRES_PASSWORD_FILE."
    # Two containers on one data directory must not make it at once.
    exec {lock}<"$PGDATA"
    flock --nonblock "$lock" || die "Another container is making $PGDATA."
    trap stop_early TERM INT

    local entry
    mkdir -p "$NEW"
    for entry in "$PGDATA"/*; do
        [[ $entry == "$NEW" ]] || rm -rf -- "$entry"
    done
    rm -rf -- "${NEW:?}"/*

    say "Making the database cluster."
    local arguments
    read -ra arguments <<<"${POSTGRES_INITDB_ARGS:-}"
    run initdb --pgdata="$NEW" --username="$POSTGRES_USER" --pwfile=<(printf '%s\n' "$POSTGRES_PASSWORD") \
        --auth=scram-sha-256 --encoding=UTF8 --locale=C.UTF-8 "${arguments[@]}"
    # For the scripts below, through a socket in a directory that is closed to others.
    echo "local all all trust" >"$NEW/init_hba.conf"
    # Nobody shall take this server for the finished one.
    "$@" -D "$NEW" -c listen_addresses= -c unix_socket_directories="$NEW" -c unix_socket_permissions=0700 \
        -c hba_file="$NEW/init_hba.conf" &
    SERVER=$!
    wait_for_server

    if [[ $POSTGRES_DB != postgres ]]; then
        sql postgres --set=name="$POSTGRES_DB" <<<'CREATE DATABASE :"name"'
    fi
    local script
    for script in /docker-entrypoint-initdb.d/*; do
        case $script in
            *.sql) say "Running $script"; sql "$POSTGRES_DB" <"$script" ;;
            *.sql.gz) say "Running $script"; gzip --decompress --stdout "$script" | sql "$POSTGRES_DB" ;;
            *) say "Ignoring $script: only *.sql and *.sql.gz are run." ;;
        esac
    done
    kill -INT "$SERVER"
    wait "$SERVER"
    SERVER=

    rm -- "$NEW/init_hba.conf"
    echo "host all all all scram-sha-256" >>"$NEW/pg_hba.conf"
    echo "listen_addresses = '*'" >>"$NEW/postgresql.conf"
    sync --file-system "$PGDATA"
    for entry in "$NEW"/*; do
        [[ $entry == "$NEW/PG_VERSION" ]] || mv -- "$entry" "$PGDATA/"
    done
    sync --file-system "$PGDATA"
    mv "$NEW/PG_VERSION" "$PGDATA/"
    rmdir "$NEW"
    sync "$PGDATA"
    trap - TERM INT
    exec {lock}<&-
    say "The database cluster is complete."
}

[[ ${1:-} != -* ]] || set -- postgres "$@"
[[ ${1:-} == postgres ]] || exec "$@"
for argument in "$@"; do
    case $argument in
        # Questions to the program, not starts of the server.
        --help | -\? | --version | -V | --describe-config) exec "$@" ;;
    esac
done

if [[ $(id -u) == 0 ]]; then
    mkdir -p "$PGDATA"
    find "$PGDATA" /var/run/postgresql ! -user postgres -exec chown postgres:postgres {} +
    exec setpriv --reuid=postgres --regid=postgres --clear-groups "$0" "$@"
fi

mkdir -p "$PGDATA"
NEW=$PGDATA/$NEW_NAME
[[ -w $PGDATA ]] || die "uid $(id -u) cannot write to $PGDATA."
chmod 0700 "$PGDATA" 2>/dev/null || say "The mode of $PGDATA cannot be changed; postgres wants 0700."

read_setting POSTGRES_PASSWORD
read_setting POSTGRES_USER postgres
read_setting POSTGRES_DB "$POSTGRES_USER"

contents=("$PGDATA"/*)
if [[ -e $PGDATA/PG_VERSION ]]; then
    [[ ! -d $NEW ]] || rmdir "$NEW"
elif [[ -d $NEW ]]; then
    say "The database cluster was not completed the last time; it is made anew."
    initialise "$@"
elif ((${#contents[@]} == 0)); then
    initialise "$@"
else
    die "$PGDATA is not empty and holds no PostgreSQL data (no PG_VERSION); nothing was changed."
fi
exec "$@"
