#!/usr/bin/env bash
# Starts Elasticsearch as the official image does.
#
# ELASTIC_PASSWORD, or ELASTIC_PASSWORD_FILE with the path of a file of mode 0400 or 0600   first password of the user
#   elastic. It goes into the keystore, and counts until that user is given another one.
# Variables with a dot in their names are settings, for example discovery.type=single-node.
# Not -u: what is sourced below looks at variables that need not be there.
set -eo pipefail

[[ ${1:-} == eswrapper ]] || exec "$@"
umask 0002
home=/usr/share/elasticsearch
configuration=${ES_PATH_CONF:-$home/config}

# Checks the file's mode; part of every distribution.
source "$home/bin/elasticsearch-env-from-file"
if [[ -n ${ELASTIC_PASSWORD:-} ]]; then
    [[ -e $configuration/elasticsearch.keystore ]] || elasticsearch-keystore create --silent
    elasticsearch-keystore list | grep --quiet --line-regexp bootstrap.password \
        || printf '%s' "$ELASTIC_PASSWORD" | elasticsearch-keystore add --stdin bootstrap.password
    unset ELASTIC_PASSWORD
fi

settings=()
while IFS='=' read -r -d '' name value; do
    [[ $name =~ ^[a-z0-9_]+\.[a-z0-9_.]+$ && -n $value ]] && settings+=("-E$name=$value")
done < <(env --null)
exec elasticsearch "${settings[@]}"
