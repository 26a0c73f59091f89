#!/bin/sh
# The release of this commit on the platform, by its own playbook: the old one serves until the new one is ready, and
# goes on serving if it never is.
set -eu
: "${APPLICATION:?its name in app_blue_green_applications}" "${INVENTORY:?such as inventories/prod}"
: "${VAULT_PASSWORD_FILE:?}" "${SSH_KEY_FILE:?}" "${SSH_USER:?}" "${KNOWN_HOSTS_FILE:?}"
release=$(ci/release.sh)

# Jenkins calls its own container built-in, and that has the engine of its host. What an agent builds stays on the agent.
if [ -z "${REGISTRY_CREDENTIAL:-}" ] && [ "${NODE_NAME:-built-in}" != built-in ]; then
    echo "The image was built on $NODE_NAME and pushed nowhere, so no host of the platform can have it: declare" \
        "REGISTRY_CREDENTIAL, or build in Jenkins' own container on that host." >&2
    exit 1
fi
cd "${PLATFORM_DIRECTORY:-$WORKSPACE_TMP/platform}"
# The user is a variable, because one of the inventory would beat an option.
ansible-playbook playbooks/deploy.yml --inventory "$INVENTORY" \
    --vault-password-file "$VAULT_PASSWORD_FILE" --private-key "$SSH_KEY_FILE" \
    --ssh-common-args "-o UserKnownHostsFile=$KNOWN_HOSTS_FILE -o StrictHostKeyChecking=yes" \
    --extra-vars "ansible_user=$SSH_USER" \
    --extra-vars "app_blue_green_only=$APPLICATION" --extra-vars "app_blue_green_release=$release"
