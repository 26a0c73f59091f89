#!/usr/bin/env bash
# Whether Kafka can read its settings: the tool looks at the storage with them, and stops where a value is wrong.
set -euo pipefail
here=$(dirname "$0")
config=$here/../config/server.properties
meta=/var/lib/kafka/data/meta.properties

# 0 with ZooKeeper, 1 without (Kafka's MetaPropertiesVersion).
if grep -q '^process.roles=' "$config"; then wanted=1; else wanted=0; fi
if [ -s "$meta" ] && ! grep -qx "version=$wanted" "$meta"; then
  echo "The data in the broker's volume are of a cluster with ZooKeeper, and kafka_zookeeper_image says that there is" \
    "none, or the other way round. The README of the role says how to go from one to the other." >&2
  exit 1
fi
said=$(bash "$here/tool.sh" kafka-storage info --config "$config" 2>&1) || true
case $said in
  *"Found log director"*) exit 0 ;;
esac
# The reason comes before the places in Kafka's code.
grep -vE '^(SLF4J|log4j:|[[:space:]]+at )' <<<"$said" | head -n 5 >&2
exit 1
