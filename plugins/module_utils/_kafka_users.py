# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Private to mooring.stack: what has to happen to a broker's users and their rights. No I/O."""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.mooring.stack.plugins.module_utils._differences import HIDDEN, Difference
from ansible_collections.mooring.stack.plugins.module_utils._errors import MooringError

# What can be done to each kind of resource (Kafka documentation, "Operations and Resources on Protocols").
OPERATIONS = {
    "topic": ("all", "alter", "alter_configs", "create", "delete", "describe", "describe_configs", "read", "write"),
    "group": ("all", "delete", "describe", "describe_configs", "alter_configs", "read"),
    "cluster": ("all", "alter", "alter_configs", "cluster_action", "create", "describe", "describe_configs",
                "idempotent_write"),
    "transactional_id": ("all", "describe", "write"),
}
# The one name that a cluster has.
CLUSTER = "kafka-cluster"
ANY = "*"


class Acl(t.NamedTuple):
    """Who may do what to what; all in small letters but the names."""

    principal: str
    kind: str
    name: str
    pattern: str
    operation: str
    host: str = ANY
    permission: str = "allow"

    def __str__(self) -> str:
        name = f"{self.name}{'*' if self.pattern == 'prefixed' else ''}"
        where = "" if self.host == ANY else f" from {self.host}"
        return f"{self.permission} {self.operation} on {self.kind} {name}{where}"


@dataclasses.dataclass(frozen=True)
class User:
    """A declared user and what it may do."""

    password: str
    acls: frozenset[Acl]


@dataclasses.dataclass(frozen=True)
class Users:
    """What a broker has: names with a password, and all ACLs."""

    names: frozenset[str] = frozenset()
    acls: frozenset[Acl] = frozenset()


@dataclasses.dataclass
class Plan:
    """What has to happen."""

    set_password: list[str] = dataclasses.field(default_factory=list)
    drop: list[str] = dataclasses.field(default_factory=list)
    allow: list[Acl] = dataclasses.field(default_factory=list)
    disallow: list[Acl] = dataclasses.field(default_factory=list)
    differences: list[Difference] = dataclasses.field(default_factory=list)
    unknown: list[str] = dataclasses.field(default_factory=list)


def principal_of(name: str) -> str:
    """How ACLs name a user."""
    return f"User:{name}"


def _resource(text: str) -> tuple[str, str, str]:
    """``topic:orders``, ``topic:orders-*``, ``topic:*`` or ``cluster`` as kind, name and pattern."""
    kind, _colon, name = text.partition(":")
    if kind not in OPERATIONS or (kind == "cluster") != (not name):
        raise ValueError(f"'{text}' is no resource: write topic:<name>, group:<name>, transactional_id:<name> or "
                         "cluster, with * at the end of a name for all that begin with it")
    if kind == "cluster":
        return kind, CLUSTER, "literal"
    return (kind, name[:-1], "prefixed") if name.endswith("*") and name != ANY else (kind, name, "literal")


def _acls(name: str, declared: t.Sequence[t.Mapping[str, t.Any]]) -> t.Iterator[Acl]:
    for one in declared:
        kind, resource, pattern = _resource(one["resource"])
        for operation in one["operations"]:
            if operation not in OPERATIONS[kind]:
                raise ValueError(f"'{operation}' is nothing that can be done to a {kind}; "
                                 f"that is {', '.join(OPERATIONS[kind])}")
            yield Acl(principal_of(name), kind, resource, pattern, operation)


def parse(declared: t.Sequence[t.Mapping[str, t.Any]]) -> dict[str, User | None]:
    """Users by name, None for one that is to be absent. Raises :class:`MooringError` naming every mistake."""
    users: dict[str, User | None] = {}
    problems = []
    for one in declared:
        name = one["name"]
        if name in users:
            problems.append(f"{name} is declared twice")
        if one["state"] == "absent":
            users[name] = None
            continue
        if not one["password"]:
            problems.append(f"{name} has no password")
        try:
            users[name] = User(one["password"] or "", frozenset(_acls(name, one["acls"])))
        except ValueError as error:
            problems.append(f"{name}: {error}")
    if problems:
        raise MooringError(f"Users are declared wrongly: {'; '.join(problems)}.")
    return users


def decide(found: Users, declared: t.Mapping[str, User | None], refused: t.Collection[str]) -> Plan:
    """What has to happen; ``refused`` are the declared users that have a password, and it is not the declared one."""
    principals = {principal_of(name) for name in declared}
    strangers = {one.principal for one in found.acls} | {principal_of(name) for name in found.names}
    plan = Plan(unknown=sorted(strangers - principals))
    for name, user in declared.items():
        label = f"user {name}"
        theirs = {one for one in found.acls if one.principal == principal_of(name)}
        if user is None:
            if name in found.names:
                plan.drop.append(name)
                plan.differences.append(Difference(label, "presence", None, "present"))
        elif name not in found.names:
            plan.set_password.append(name)
            plan.differences.append(Difference(label, "presence", "present", None))
        elif name in refused:
            plan.set_password.append(name)
            plan.differences.append(Difference(label, "password", HIDDEN, HIDDEN))
        wanted = user.acls if user else frozenset()
        plan.allow += sorted(wanted - theirs)
        plan.disallow += sorted(theirs - wanted)
        plan.differences += [
            *(Difference(f"{label}, {one}", "presence", "present", None) for one in sorted(wanted - theirs)),
            *(Difference(f"{label}, {one}", "presence", None, "present") for one in sorted(theirs - wanted))]
    return plan
