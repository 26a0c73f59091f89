#!/usr/bin/env bash
# Makes the broker's storage where there is none yet, with a cluster id of its own that
# stays with the data, and then runs the broker.
set -euo pipefail
data=/var/lib/kafka/data
config=/etc/mooring/broker/config/server.properties
here=$(dirname "$0")

# Written last, so without it nothing was stored yet.
if [ ! -s "$data/meta.properties" ]; then
  # What formatting leaves when it is killed half-way; anything else is somebody's data.
  strange=$(ls -A "$data" | grep -vxE 'lost\+found|bootstrap\.checkpoint.*|__cluster_metadata-0|meta\.properties.*' || true)
  if [ -n "$strange" ]; then
    echo "$data has no meta.properties, but holds: $strange. It is not made anew; look at what it is." >&2
    exit 1
  fi
  id=$(KAFKA_HEAP_OPTS=-Xmx128m bash "$here/tool.sh" kafka-storage random-uuid)
  echo "Making the storage of the cluster $id."
  KAFKA_HEAP_OPTS=-Xmx128m bash "$here/tool.sh" kafka-storage format --cluster-id "$id" --config "$config"
fi
exec bash "$here/tool.sh" kafka-run-class kafka.Kafka "$config"
