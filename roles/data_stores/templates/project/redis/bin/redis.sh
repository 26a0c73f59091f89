# One command as the account of the health check: redis.sh PING, redis.sh ACL LOAD.
# redis-cli reads REDISCLI_AUTH, so the password is in no argument list, and with
# -e an error reply (NOAUTH, LOADING) is a failure.
set -eu
REDISCLI_AUTH=$(cat /run/secrets/health_password)
export REDISCLI_AUTH
exec redis-cli -h 127.0.0.1 --user health --no-auth-warning -e "$@"
