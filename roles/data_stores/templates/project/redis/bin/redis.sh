# One command as the account "health": redis.sh PING, redis.sh ACL LOAD.
# redis-cli reads REDISCLI_AUTH, so the password is in no argument list, and with
# -e an error reply (NOAUTH, LOADING) is a failure.
set -eu
umask 077

ask() {
    password_file=$1
    shift
    REDISCLI_AUTH=$(cat "$password_file") redis-cli -h 127.0.0.1 --user health --no-auth-warning -e "$@"
}

# While the password is being changed the file is newer than the account, so the
# one that worked last is kept in memory: it is what can load the new accounts.
if ask /run/secrets/health_password PING >/dev/null 2>&1; then
    cat /run/secrets/health_password >/tmp/health_password
    ask /run/secrets/health_password "$@"
elif [ -e /tmp/health_password ] && ask /tmp/health_password PING >/dev/null 2>&1; then
    ask /tmp/health_password "$@"
else
    ask /run/secrets/health_password "$@"
fi
