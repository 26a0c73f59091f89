# Starts Jenkins, with a password that is new at each start, lies in memory, and serves to reload its configuration:
# with the administrator's, a run that changes just that one could not log in.
set -eu
(
    umask 077
    head -c 24 /dev/urandom | od -An -tx1 | tr -d ' \n' >/run/jenkins/reload_password
    printf 'user = "mooring:%s"\n' "$(cat /run/jenkins/reload_password)" >/run/jenkins/reload.curl
)
# The image's plugins are those that run: what the entry point would leave as it is, because it is newer or was clicked
# together, is taken out, and comes in again from the image. A rollback of the image so rolls back its plugins.
for plugin in /usr/share/jenkins/ref/plugins/*.jpi; do
    installed=/var/jenkins_home/plugins/${plugin##*/}
    if [ -e "$installed" ] && ! cmp -s "$plugin" "$installed"; then
        echo "Takes ${plugin##*/} of the image in place of another version."
        rm -rf "${installed%.jpi}" "$installed" "$installed.version_from_image"
    fi
done
exec /usr/local/bin/jenkins.sh
