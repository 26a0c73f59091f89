#!/bin/sh
# Runs a class of Kafka with the options that the official image's scripts understand.
set -eu
exec java ${KAFKA_HEAP_OPTS:--Xmx256m} ${KAFKA_JVM_PERFORMANCE_OPTS:-} ${KAFKA_LOG4J_OPTS:-} ${KAFKA_OPTS:-} \
    -cp "/opt/kafka/libs/*" "$@"
