#!/usr/bin/env bash
# Whether Kafka can read its settings: the tool looks at the storage with them, and stops where a value is wrong.
set -euo pipefail
here=$(dirname "$0")
said=$(bash "$here/tool.sh" kafka-storage info --config "$here/../config/server.properties" 2>&1) || true
case $said in
  *"Found log director"*) exit 0 ;;
esac
# The reason comes before the places in Kafka's code.
grep -vE '^(SLF4J|[[:space:]]+at )' <<<"$said" | head -n 5 >&2
exit 1
