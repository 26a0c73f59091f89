# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Private to mooring.stack: what has to happen to a broker's topics so that they are as declared. No I/O."""

from __future__ import annotations

import dataclasses
import re
import typing as t

from ansible_collections.mooring.stack.plugins.module_utils._differences import Difference
from ansible_collections.mooring.stack.plugins.module_utils._errors import MooringError

# Kafka's own rule (org.apache.kafka.common.internals.Topic).
NAME = re.compile(r"[a-zA-Z0-9._-]{1,249}")


@dataclasses.dataclass(frozen=True)
class Topic:
    """A topic; ``config`` is what was set for it alone, as the broker writes it."""

    partitions: int = 1
    replication: int = 1
    config: t.Mapping[str, str] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass
class Plan:
    """What has to happen, by topic; a value of None in ``configure`` is taken back."""

    create: dict[str, Topic] = dataclasses.field(default_factory=dict)
    grow: dict[str, int] = dataclasses.field(default_factory=dict)
    configure: dict[str, dict[str, str | None]] = dataclasses.field(default_factory=dict)
    delete: list[str] = dataclasses.field(default_factory=list)
    differences: list[Difference] = dataclasses.field(default_factory=list)
    unknown: list[str] = dataclasses.field(default_factory=list)

    @property
    def changes(self) -> list[str]:
        """One line for each thing that has to happen."""
        return [
            *(f"create topic {name} with {_count(one.partitions)}" for name, one in self.create.items()),
            *(f"bring topic {name} to {_count(count)}" for name, count in self.grow.items()),
            *(f"topic {name}: {f'take {key} back' if value is None else f'set {key} to {value}'}"
              for name, config in self.configure.items() for key, value in config.items()),
            *(f"delete topic {name}" for name in self.delete)]


def _count(partitions: int) -> str:
    return f"{partitions} partition{'' if partitions == 1 else 's'}"


def text_of(value: t.Any) -> str:
    """A declared value as the broker writes it: true, a list with commas, a number."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (list, tuple)):
        return ",".join(text_of(item) for item in value)
    return str(value)


def parse(declared: t.Sequence[t.Mapping[str, t.Any]]) -> dict[str, Topic | None]:
    """Topics by name, None for one that is to be absent. Raises :class:`MooringError` naming every mistake."""
    topics: dict[str, Topic | None] = {}
    problems = []
    for one in declared:
        name = one["name"]
        if not NAME.fullmatch(name) or name in (".", ".."):
            problems.append(f"'{name}' is no name of a topic: letters, digits, dot, underscore and dash, at most 249")
        elif name.startswith("__"):
            problems.append(f"{name} begins with two underscores, as only Kafka's own topics do")
        if name in topics:
            problems.append(f"{name} is declared twice")
        if one["partitions"] < 1 or one["replication"] < 1:
            problems.append(f"{name} needs at least one partition and one replica")
        problems += [f"{name}: {key} has no value; leave it out for Kafka's own default"
                     for key, value in one["config"].items() if value is None]
        topics[name] = None if one["state"] == "absent" else Topic(
            one["partitions"], one["replication"], {key: text_of(value) for key, value in one["config"].items()})
    if problems:
        raise MooringError(f"Topics are declared wrongly: {'; '.join(problems)}.")
    return topics


def refusals(found: t.Mapping[str, Topic], declared: t.Mapping[str, Topic | None]) -> list[str]:
    """What is declared and cannot be brought about without losing records or by this module."""
    said = []
    for name, topic in declared.items():
        there = found.get(name)
        if topic is None or there is None:
            continue
        if topic.partitions < there.partitions:
            said.append(
                f"topic {name} has {_count(there.partitions)}, and {topic.partitions} are declared: Kafka cannot take "
                f"partitions away, because the records in them would go. Declare {there.partitions}, or a topic of "
                "another name and move the records")
        if topic.replication != there.replication:
            said.append(
                f"topic {name} has replication {there.replication}, and {topic.replication} is declared: declare "
                f"{there.replication}, or move its partitions with kafka-reassign-partitions.sh first")
    return said


def decide(found: t.Mapping[str, Topic], declared: t.Mapping[str, Topic | None]) -> Plan:
    """What has to happen; raises :class:`MooringError` naming everything that is refused."""
    refused = refusals(found, declared)
    if refused:
        raise MooringError(f"Nothing was changed: {'; '.join(refused)}.")
    plan = Plan(unknown=sorted(set(found) - set(declared)))
    for name, topic in declared.items():
        there, label = found.get(name), f"topic {name}"
        if topic is None:
            if there is not None:
                plan.delete.append(name)
                plan.differences.append(Difference(label, "presence", None, "present"))
            continue
        if there is None:
            plan.create[name] = topic
            plan.differences.append(Difference(label, "presence", "present", None))
            continue
        if topic.partitions > there.partitions:
            plan.grow[name] = topic.partitions
            plan.differences.append(Difference(label, "partitions", topic.partitions, there.partitions))
        changes = {key: topic.config.get(key) for key in sorted({*topic.config, *there.config})
                   if topic.config.get(key) != there.config.get(key)}
        if changes:
            plan.configure[name] = changes
            plan.differences += [Difference(label, key, topic.config.get(key), there.config.get(key))
                                 for key in changes]
    return plan
