# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Private to mooring.stack: the step that makes a broker's users as declared, and logs in as each."""

from __future__ import annotations

import time
import typing as t

from ansible_collections.mooring.stack.plugins.module_utils import _kafka_users as users
from ansible_collections.mooring.stack.plugins.module_utils._docker import Docker
from ansible_collections.mooring.stack.plugins.module_utils._errors import HeldBack, MooringError
from ansible_collections.mooring.stack.plugins.module_utils._kafka import Broker, BrokerGone, NoAuthorizer, session
from ansible_collections.mooring.stack.plugins.module_utils._kafka_users import Plan, User
from ansible_collections.mooring.stack.plugins.module_utils._step_kafka_topics import BROKER, will_be_empty

ARGUMENT_SPEC: dict[str, t.Any] = {
    **BROKER,
    "login_address": {"type": "str", "required": True},
    "login_protocol": {"type": "str", "choices": ["SASL_PLAINTEXT", "SASL_SSL"], "default": "SASL_SSL"},
    "users": {
        "type": "list", "elements": "dict", "default": [],
        "options": {
            "name": {"type": "str", "required": True},
            "password": {"type": "str", "no_log": True},
            "acls": {
                "type": "list", "elements": "dict", "default": [],
                "options": {
                    "resource": {"type": "str", "required": True},
                    "operations": {"type": "list", "elements": "str", "required": True},
                },
            },
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
        },
    },
}
AFTER_SERVICES = True
# A new password and a new right reach the broker through its own log.
SETTLE_SECONDS = 15.0
INTERVAL = 0.2


def look(broker: Broker, params: dict[str, t.Any], declared: t.Mapping[str, User | None]) -> Plan:
    """What is not as declared; each declared user that has a password tries to log in."""
    found = broker.users()
    refused = [name for name, user in declared.items() if user and name in found.names
               and broker.refuses(name, user.password, params["login_address"], params["login_protocol"])]
    return users.decide(found, declared, refused)


def apply(broker: Broker, plan: Plan, declared: t.Mapping[str, User | None]) -> None:
    """Let it happen: rights go first and come last, so that nobody has more than is declared meanwhile."""
    broker.disallow(plan.disallow)
    broker.set_passwords({name: user.password for name in plan.set_password if (user := declared[name])}, plan.drop)
    broker.allow(plan.allow)


def converge(module: t.Any, params: dict[str, t.Any], planned: t.Mapping[str, str] | None = None) -> dict[str, t.Any]:
    """Read, decide, apply, try; ``planned`` is what happens to services before. Raises :class:`MooringError`."""
    declared = users.parse(params["users"])
    if will_be_empty(module, params, planned):
        return _result(users.decide(users.Users(), declared, ()))
    if not declared:
        return _result(Plan())
    try:
        with session(Docker(module.run_command), params["container"], params["address"]) as broker:
            plan = look(broker, params, declared)
            if plan.differences and not module.check_mode:
                apply(broker, plan, declared)
                deadline = time.monotonic() + SETTLE_SECONDS
                while (left := look(broker, params, declared)).differences and time.monotonic() < deadline:
                    time.sleep(INTERVAL)
                if left.differences:
                    raise MooringError(
                        f"Kafka took every change, and yet: {'; '.join(map(str, left.differences))}.", **_result(plan))
    except (BrokerGone, NoAuthorizer) as error:
        if module.check_mode:
            return {**_result(Plan()), "notices": [f"Its users were not compared: {error}"]}
        if isinstance(error, NoAuthorizer):
            # Its restart waits for permission, and topics do not wait for that.
            raise HeldBack(str(error), **_result(Plan())) from error
        raise
    return {**_result(plan), "proven": [] if module.check_mode else [name for name, user in declared.items() if user]}


def _result(plan: Plan) -> dict[str, t.Any]:
    notices = [f"kafka: nobody declares {', '.join(plan.unknown)}, and it has a password or rights."]
    return {"changed": bool(plan.differences), "differences": [one.as_dict() for one in plan.differences],
            "notices": notices if plan.unknown else [], "proven": []}
