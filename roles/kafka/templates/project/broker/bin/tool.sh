#!/usr/bin/env bash
# tool.sh <name> <arguments>: one of Kafka's own tools, wherever the image has it.
set -euo pipefail
name=$1
shift
for path in "/opt/kafka/bin/$name.sh" "/usr/bin/$name"; do
  if [ -x "$path" ]; then
    exec "$path" "$@"
  fi
done
echo "This image has no $name: neither /opt/kafka/bin/$name.sh nor /usr/bin/$name." >&2
exit 127
