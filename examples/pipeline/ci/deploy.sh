#!/bin/sh
# The release of this commit on the platform, by its own playbook: the old one serves until the new one is ready, and
# goes on serving if it never is.
set -eu
: "${APPLICATION:?its name in app_blue_green_applications}" "${INVENTORY:?such as inventories/prod}"
: "${VAULT_PASSWORD_FILE:?}" "${SSH_KEY_FILE:?}" "${SSH_USER:?}" "${KNOWN_HOSTS_FILE:?}"
release=$(ci/release.sh)

cd "${PLATFORM_DIRECTORY:-$WORKSPACE_TMP/platform}"
ansible-playbook playbooks/deploy.yml --inventory "$INVENTORY" \
    --vault-password-file "$VAULT_PASSWORD_FILE" --user "$SSH_USER" --private-key "$SSH_KEY_FILE" \
    --ssh-common-args "-o UserKnownHostsFile=$KNOWN_HOSTS_FILE -o StrictHostKeyChecking=yes" \
    --extra-vars "app_blue_green_only=$APPLICATION" --extra-vars "app_blue_green_release=$release"
