#!/usr/bin/env bash
# Starts mysqld; creates the data directory first if it is empty.
#
# MYSQL_ROOT_PASSWORD   required for the first start, or MYSQL_ALLOW_EMPTY_PASSWORD=yes
# MYSQL_ROOT_HOST       host of a second root account, default '%'; 'localhost' creates none
# MYSQL_DATABASE        a database to create
# MYSQL_USER, MYSQL_PASSWORD   an account with all privileges on that database
# Each of them can be given as <NAME>_FILE, the path of a file with the value.
# /docker-entrypoint-initdb.d/*.sql and *.sql.gz run once, in alphabetical order.
#
# A marker file in the data directory says that its creation has begun and not
# ended. It is removed last, so a directory with it holds nothing of value and
# is made anew, and a directory without it is never touched.
set -Eeuo pipefail
shopt -s nullglob dotglob

MARKER_NAME=.mooring-initialising
INIT_SOCKET_NAME=.mooring-init.sock

say() { printf '%s [entrypoint] %s\n' "$(date --utc +%FT%TZ)" "$*" >&2; }
die() { say "ERROR: $*"; exit 1; }

# Sets NAME from NAME_FILE where that is given, and keeps NAME out of mysqld's environment.
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

# An SQL string. The client session runs with an empty sql_mode, so backslashes escape.
quote() {
    local text=${1//\\/\\\\}
    printf "'%s'" "${text//\'/\\\'}"
}
quote_name() { printf '`%s`' "${1//\`/\`\`}"; }

# Runs a program as a child that SIGTERM reaches: the shell is PID 1 and answers signals only in `wait`.
CHILD=
run() { "$@" & CHILD=$!; wait "$CHILD"; }
stop_early() {
    say "Stopped before the data directory was complete; the next start makes it anew."
    [[ -z $CHILD ]] || kill -TERM "$CHILD" 2>/dev/null || true
    [[ -z ${SERVER:-} ]] || kill -KILL "$SERVER" 2>/dev/null || true
    exit 143
}

sql() { mysql --no-defaults --protocol=socket --socket="$INIT_SOCKET" --user=root --init-command="SET SESSION sql_mode=''" "$@"; }

wait_for_server() {
    local attempt
    for ((attempt = 0; attempt < 600; attempt++)); do
        if sql --execute='DO 1' &>/dev/null; then return 0; fi
        kill -0 "$SERVER" 2>/dev/null || die "The server ended while the data directory was being made; see above."
        run sleep 0.2
    done
    die "The server did not answer within 120 s while the data directory was being made."
}

initialise() {
    if [[ -z $MYSQL_ROOT_PASSWORD && -z ${MYSQL_ALLOW_EMPTY_PASSWORD:-} ]]; then
        die "The data directory is empty and there is no root password." \
            "Set MYSQL_ROOT_PASSWORD_FILE, or MYSQL_ALLOW_EMPTY_PASSWORD=yes."
    fi
    # Two containers on one data directory must not make it at once.
    exec {lock}<"$DATADIR"
    flock --nonblock "$lock" || die "Another container is making $DATADIR."
    trap stop_early TERM INT

    local entry
    : >"$MARKER"
    sync "$DATADIR"
    for entry in "$DATADIR"/*; do
        [[ $entry == "$MARKER" ]] || rm -rf -- "$entry"
    done

    say "Making the data directory."
    run "$@" --initialize-insecure --default-time-zone=SYSTEM
    # Its own socket: nobody shall take this server for the finished one.
    "$@" --skip-networking --mysqlx=OFF --default-time-zone=SYSTEM --socket="$INIT_SOCKET" &
    SERVER=$!
    wait_for_server

    if [[ -z ${MYSQL_INITDB_SKIP_TZINFO:-} ]]; then
        mysql_tzinfo_to_sql /usr/share/zoneinfo 2>/dev/null | sql mysql
    fi
    {
        echo "SET SESSION SQL_LOG_BIN = 0;"
        if [[ -n $MYSQL_DATABASE ]]; then
            echo "CREATE DATABASE IF NOT EXISTS $(quote_name "$MYSQL_DATABASE");"
        fi
        if [[ -n $MYSQL_USER ]]; then
            echo "CREATE USER $(quote "$MYSQL_USER")@'%' IDENTIFIED BY $(quote "$MYSQL_PASSWORD");"
            if [[ -n $MYSQL_DATABASE ]]; then
                # In a grant, _ and % of a database name are wildcards.
                local pattern=${MYSQL_DATABASE//_/\\_}
                echo "GRANT ALL ON $(quote_name "${pattern//%/\\%}").* TO $(quote "$MYSQL_USER")@'%';"
            fi
        fi
        if [[ -n $MYSQL_ROOT_HOST && $MYSQL_ROOT_HOST != localhost ]]; then
            echo "CREATE USER 'root'@$(quote "$MYSQL_ROOT_HOST") IDENTIFIED BY $(quote "$MYSQL_ROOT_PASSWORD");"
            echo "GRANT ALL ON *.* TO 'root'@$(quote "$MYSQL_ROOT_HOST") WITH GRANT OPTION;"
        fi
    } | sql

    local script
    for script in /docker-entrypoint-initdb.d/*; do
        case $script in
            *.sql) say "Running $script"; sql ${MYSQL_DATABASE:+"--database=$MYSQL_DATABASE"} <"$script" ;;
            *.sql.gz) say "Running $script"
                gzip --decompress --stdout "$script" | sql ${MYSQL_DATABASE:+"--database=$MYSQL_DATABASE"} ;;
            *) say "Ignoring $script: only *.sql and *.sql.gz are run." ;;
        esac
    done

    # Last, because the scripts above log in as root without a password.
    sql <<<"SET SESSION SQL_LOG_BIN = 0; ALTER USER 'root'@'localhost' IDENTIFIED BY $(quote "$MYSQL_ROOT_PASSWORD");"
    kill -TERM "$SERVER"
    wait "$SERVER"
    SERVER=
    sync --file-system "$DATADIR"
    rm -- "$MARKER"
    sync "$DATADIR"
    trap - TERM INT
    exec {lock}<&-
    say "The data directory is complete."
}

[[ ${1:-} != -* ]] || set -- mysqld "$@"
[[ ${1:-} == mysqld ]] || exec "$@"
for argument in "$@"; do
    case $argument in
        # Questions to the program, not starts of the server.
        --validate-config | --help | -\? | --version | -V | --print-defaults) exec "$@" ;;
    esac
done

if [[ $(id -u) == 0 ]]; then
    find /var/lib/mysql /var/run/mysqld /var/lib/mysql-files ! -user mysql -exec chown mysql:mysql {} +
    exec setpriv --reuid=mysql --regid=mysql --clear-groups "$0" "$@"
fi

DATADIR=$("$@" --verbose --help 2>/dev/null | awk '$1 == "datadir" { print $2 }' || true)
DATADIR=${DATADIR%/}
[[ -n $DATADIR ]] || { "$@" --validate-config || true; die "mysqld does not accept its configuration; see above."; }
MARKER=$DATADIR/$MARKER_NAME
INIT_SOCKET=$DATADIR/$INIT_SOCKET_NAME
[[ -w $DATADIR ]] || die "uid $(id -u) cannot write to $DATADIR."

read_setting MYSQL_ROOT_PASSWORD
read_setting MYSQL_ROOT_HOST %
read_setting MYSQL_DATABASE
read_setting MYSQL_USER
read_setting MYSQL_PASSWORD

contents=("$DATADIR"/*)
if [[ -e $MARKER ]]; then
    say "The data directory was not completed the last time; it is made anew."
    initialise "$@"
elif ((${#contents[@]} == 0)); then
    initialise "$@"
elif [[ ! -e $DATADIR/mysql.ibd ]]; then
    die "$DATADIR is not empty and holds no MySQL data (no mysql.ibd); nothing was changed."
fi
exec "$@"
