#!/usr/bin/env bash
# tool.sh <name> <arguments>: one of Kafka's own tools, wherever the image has it.
set -euo pipefail
name=$1
shift
# Memory and log of the broker are the broker's: a tool beside it takes little, and prints its answer only.
if [ "$name" != kafka-run-class ]; then
  export KAFKA_HEAP_OPTS=-Xmx128m
  unset KAFKA_LOG4J_OPTS
fi
for path in "/opt/kafka/bin/$name.sh" "/usr/bin/$name"; do
  if [ -x "$path" ]; then
    exec "$path" "$@"
  fi
done
echo "This image has no $name: neither /opt/kafka/bin/$name.sh nor /usr/bin/$name." >&2
exit 127
