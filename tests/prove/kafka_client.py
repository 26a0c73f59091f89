#!/usr/bin/env python3
# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A producer and a consumer as an application has them. Runs in a container of the platform network.

    kafka_client.py topics                    prints each topic that the user may see
    kafka_client.py write TOPIC               produces, waiting for each acknowledgement of all replicas, until the
                                              input ends; prints each value that was acknowledged
    kafka_client.py read TOPIC                prints each value that is there

The first line of the input is JSON: the client's settings in the words of kafka-python, such as
``{"bootstrap_servers": "kafka:9092"}``. Ends with status 1 and the reason where the broker refuses.
"""

from __future__ import annotations

import json
import ssl
import sys
import threading
import typing as t

import kafka
import kafka.admin
import kafka.errors

SECONDS = 10


def settings() -> dict[str, t.Any]:
    """What to connect with; the certificate is looked at elsewhere."""
    found = json.loads(sys.stdin.readline())
    if found.get("security_protocol") == "SASL_SSL":
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        found["ssl_context"] = context
    return found


def topics(options: dict[str, t.Any]) -> None:
    """Names, one a line."""
    client = kafka.admin.KafkaAdminClient(bootstrap_timeout_ms=SECONDS * 1000, **options)
    print("\n".join(sorted(client.list_topics())))
    client.close()


def write(options: dict[str, t.Any], topic: str) -> None:
    """Produce until the input ends. A record whose fate is not known is not counted and not tried again."""
    ended = threading.Event()
    threading.Thread(target=lambda: (sys.stdin.read(), ended.set()), daemon=True).start()
    producer = kafka.KafkaProducer(acks="all", retries=0, enable_idempotence=False, request_timeout_ms=2000,
                                   delivery_timeout_ms=3000, max_block_ms=SECONDS * 1000, **options)
    number = 0
    while not ended.is_set():
        number += 1
        sent = []
        for part in range(20):
            value = f"{number}-{part}"
            try:
                sent.append((value, producer.send(topic, value.encode())))
            except kafka.errors.KafkaError:
                break
        for value, future in sent:
            try:
                future.get(timeout=SECONDS)
            except kafka.errors.KafkaError:
                continue
            print(value, flush=True)


def read(options: dict[str, t.Any], topic: str) -> None:
    """Values from the first to what is the last one now."""
    consumer = kafka.KafkaConsumer(group_id=None, enable_auto_commit=False, **options)
    places = [kafka.TopicPartition(topic, number) for number in consumer.partitions_for_topic(topic) or ()]
    consumer.assign(places)
    ends = consumer.end_offsets(places)
    consumer.seek_to_beginning(*places)
    while any(consumer.position(place) < end for place, end in ends.items()):
        for records in consumer.poll(timeout_ms=SECONDS * 1000).values():
            print("\n".join(record.value.decode() for record in records), flush=True)


def main() -> int:
    """Read the command and the settings, act."""
    action, *arguments = sys.argv[1:]
    try:
        {"topics": topics, "write": write, "read": read}[action](settings(), *arguments)
    except kafka.errors.KafkaError as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
