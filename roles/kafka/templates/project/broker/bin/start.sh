#!/usr/bin/env bash
# Makes the broker's storage where there is none yet, with a cluster id of its own that
# stays with the data, and then runs the broker.
set -euo pipefail
data=/var/lib/kafka/data
config=/etc/mooring/broker/config/server.properties
here=$(dirname "$0")

# Written last, so without it nothing was stored yet. With ZooKeeper the broker makes it itself.
if grep -q '^process.roles=' "$config" && [ ! -s "$data/meta.properties" ]; then
  found=$(ls -A "$data")
  # What formatting leaves when it is killed half-way; anything else is somebody's data.
  strange=$(grep -vxE 'lost\+found|bootstrap\.checkpoint.*|__cluster_metadata-0|meta\.properties.*|' <<<"$found" || true)
  if [ -n "$strange" ]; then
    echo "$data has no meta.properties, but holds: $strange. It is not made anew; look at what it is." >&2
    exit 1
  fi
  id=$(bash "$here/tool.sh" kafka-storage random-uuid | tail -n 1)
  if ! [[ $id =~ ^[A-Za-z0-9_-]{22}$ ]]; then
    echo "kafka-storage gave no cluster id, but: $id" >&2
    exit 1
  fi
  echo "Making the storage of the cluster $id."
  bash "$here/tool.sh" kafka-storage format --cluster-id "$id" --config "$config"
fi
exec bash "$here/tool.sh" kafka-run-class kafka.Kafka "$config"
