# Healthy means: a query is answered over TCP and TLS. pg_isready does not log in,
# and says yes to everybody.
set -eu
umask 077

answers() {
    PGPASSFILE=$1 psql --no-psqlrc --no-password --quiet --tuples-only --no-align --command='SELECT 1' \
        'host=127.0.0.1 user=health dbname=postgres sslmode=require connect_timeout=5' >/dev/null
}

# While the password is being changed the secret is newer than the role, so the one
# that worked last is kept, beyond the life of this container, and tried next.
last=/run/postgresql/health.pgpass
if answers /run/secrets/health.pgpass; then
    cat /run/secrets/health.pgpass >"$last"
else
    [ -e "$last" ]
    answers "$last"
fi
