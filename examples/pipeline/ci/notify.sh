#!/bin/sh
# One line to a channel of Mattermost. The URL of the webhook is a secret, so it is nobody's argument.
set -eu
: "${NOTIFY_URL:?}" "${RESULT:?}"
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
umask 077

printf 'url = "%s"\n' "$NOTIFY_URL" >"$place/curl"
# Names come from people, so they are quoted by who knows JSON.
python3 - >"$place/message.json" <<'END'
import json
import os

name, number = os.environ.get("JOB_NAME", "build"), os.environ.get("BUILD_NUMBER", "")
print(json.dumps({"text": f"{name} {number}: {os.environ['RESULT']} {os.environ.get('BUILD_URL', '')}".strip()}))
END
curl --silent --show-error --fail --max-time 20 --retry 3 --output /dev/null --config "$place/curl" \
    --header 'Content-Type: application/json' --data "@$place/message.json"
