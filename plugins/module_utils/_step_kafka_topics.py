# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Private to mooring.stack: the step that makes a broker's topics as declared."""

from __future__ import annotations

import time
import typing as t

from ansible_collections.mooring.stack.plugins.module_utils import _kafka_topics as topics
from ansible_collections.mooring.stack.plugins.module_utils import _project as project
from ansible_collections.mooring.stack.plugins.module_utils._docker import Docker
from ansible_collections.mooring.stack.plugins.module_utils._errors import MooringError
from ansible_collections.mooring.stack.plugins.module_utils._kafka import Broker, BrokerGone, session
from ansible_collections.mooring.stack.plugins.module_utils._kafka_topics import Plan, Topic
from ansible_collections.mooring.stack.plugins.module_utils._stores import prove_nothing_is_left

BROKER: dict[str, t.Any] = {
    "container": {"type": "str", "required": True},
    "address": {"type": "str", "default": "localhost:19092"},
    "service": {"type": "str", "default": ""},
}
ARGUMENT_SPEC: dict[str, t.Any] = {
    **BROKER,
    "topics": {
        "type": "list", "elements": "dict", "default": [],
        "options": {
            "name": {"type": "str", "required": True},
            "partitions": {"type": "int", "default": 1},
            "replication": {"type": "int", "default": 1},
            "config": {"type": "dict", "default": {}},
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
        },
    },
}
AFTER_SERVICES = True
# The controller tells the broker of what it took; a topic that is deleted can be seen for a moment.
SETTLE_SECONDS = 15.0
INTERVAL = 0.1


def refused(broker: Broker, plan: Plan) -> list[str]:
    """What the broker itself says against a plan; it changes nothing for that."""
    return [*broker.create(plan.create, only_validate=True), *broker.grow(plan.grow, only_validate=True),
            *broker.configure(plan.configure, only_validate=True)]


def apply(broker: Broker, plan: Plan) -> None:
    """Let it happen; raises :class:`MooringError` naming what the broker refused, after all else was done."""
    said = [*broker.create(plan.create), *broker.configure(plan.configure), *broker.grow(plan.grow),
            *broker.delete(plan.delete)]
    if said:
        raise MooringError(f"Kafka refused, and did the rest: {'; '.join(said)}.")
    broker.wait_for([*plan.create, *plan.grow])


def settled(broker: Broker, declared: t.Mapping[str, Topic | None]) -> Plan:
    """What is still to do once the broker has been told of everything; nothing, if all is well."""
    deadline = time.monotonic() + SETTLE_SECONDS
    while True:
        left = topics.decide(broker.topics(), declared)
        if not left.changes or time.monotonic() > deadline:
            return left
        time.sleep(INTERVAL)


def will_be_empty(module: t.Any, params: dict[str, t.Any], planned: t.Mapping[str, str] | None) -> bool:
    """In check mode: whether a step before would make the broker, so that there is nothing to ask yet."""
    return module.check_mode and (planned or {}).get(params["service"]) == project.CREATE


def converge(module: t.Any, params: dict[str, t.Any], planned: t.Mapping[str, str] | None = None) -> dict[str, t.Any]:
    """Read, decide, apply, read again; ``planned`` is what happens to services before. Raises :class:`MooringError`."""
    declared = topics.parse(params["topics"])
    if will_be_empty(module, params, planned):
        return _result(topics.decide({}, declared))
    try:
        with session(Docker(module.run_command), params["container"], params["address"]) as broker:
            plan = topics.decide(broker.topics(), declared)
            said = refused(broker, plan)
            if said:
                raise MooringError(f"Nothing was changed, because Kafka refuses: {'; '.join(said)}.", **_result(plan))
            if plan.changes and not module.check_mode:
                try:
                    apply(broker, plan)
                    prove_nothing_is_left("Kafka", settled(broker, declared).changes)
                except MooringError as error:
                    raise MooringError(str(error), **{**_result(plan), **error.details}) from error
    except BrokerGone as error:
        if not module.check_mode:
            raise
        return {**_result(Plan()), "notices": [f"Its topics were not compared: {error}"]}
    return _result(plan)


def _result(plan: Plan) -> dict[str, t.Any]:
    notices = [f"kafka: nobody declares the topic{'s' if plan.unknown[1:] else ''} {', '.join(plan.unknown)}."]
    return {"changed": bool(plan.changes), "changes": plan.changes, "unknown": plan.unknown,
            "differences": [one.as_dict() for one in plan.differences], "notices": notices if plan.unknown else []}
