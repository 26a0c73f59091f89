# Starts Jenkins, with a password that is new at each start, lies in memory, and serves to reload its configuration:
# with the administrator's, a run that changes just that one could not log in.
set -eu
(
    umask 077
    head -c 24 /dev/urandom | od -An -tx1 | tr -d ' \n' >/run/jenkins/reload_password
    printf 'user = "mooring:%s"\n' "$(cat /run/jenkins/reload_password)" >/run/jenkins/reload.curl
)
exec /usr/local/bin/jenkins.sh
