# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Private to mooring.stack: the step that makes PostgreSQL's databases and roles as declared, and logs in as each."""

from __future__ import annotations

import typing as t

from ansible_collections.mooring.stack.plugins.module_utils import _postgres
from ansible_collections.mooring.stack.plugins.module_utils import _project as project
from ansible_collections.mooring.stack.plugins.module_utils._errors import MooringError
from ansible_collections.mooring.stack.plugins.module_utils._postgres import (
    Declaration,
    Plan,
    Postgres,
    PostgresGone,
    Server,
)
from ansible_collections.mooring.stack.plugins.module_utils._stores import (
    apply_all,
    prove_nothing_is_left,
    server_expected,
)

_ROLE: dict[str, t.Any] = {
    "name": {"type": "str", "required": True},
    "password": {"type": "str", "required": True, "no_log": True},
    "connection_limit": {"type": "int", "default": -1},
}
ARGUMENT_SPEC: dict[str, t.Any] = {
    "socket": {"type": "path", "required": True},
    "login_user": {"type": "str", "default": "postgres"},
    "login_password": {"type": "str", "no_log": True},
    "databases": {
        "type": "list", "elements": "dict", "default": [], "options": {**_ROLE, "owner": {"type": "str"}}},
    "roles": {"type": "list", "elements": "dict", "default": [], "options": _ROLE},
    "service": {"type": "str", "default": ""},
}
AFTER_SERVICES = True


def prove(postgres: Postgres, plan: Plan, declaration: Declaration) -> None:
    """Nothing is left to do, and each owner gets into its database."""
    prove_nothing_is_left("PostgreSQL", plan.statements)
    for database in declaration.databases:
        reason = postgres.refuses(database.owner, declaration.passwords[database.owner], database.name)
        if reason:
            raise MooringError(f"{database.owner} cannot log in to the database {database.name}: {reason}")


def converge_server(postgres: Postgres, declaration: Declaration, check_mode: bool) -> Plan:
    """What differed; in a run it is put right and proven. Raises :class:`MooringError`."""
    plan = _postgres.decide(postgres.read(declaration.passwords), declaration)
    if not check_mode:
        left = plan
        if plan.statements:
            apply_all(plan.statements, postgres.apply)
            left = _postgres.decide(postgres.read(declaration.passwords), declaration)
        prove(postgres, left, declaration)
    return plan


def converge(module: t.Any, params: dict[str, t.Any], planned: t.Mapping[str, str] | None = None) -> dict[str, t.Any]:
    """Read, decide, apply, prove; ``planned`` is what happens to services before. Raises :class:`MooringError`."""
    user, password = params["login_user"], params["login_password"]
    # A server that starts makes these itself.
    made = module.check_mode and (planned or {}).get(params["service"]) in project.STARTS
    declaration = _postgres.declared(params["databases"], [] if made else params["roles"], user)
    plan, notices = Plan(), []
    if declaration and not password:
        raise MooringError(f"There is no password for PostgreSQL's role {user}, which makes the databases.")
    if declaration and module.check_mode and not server_expected(params["socket"]):
        plan = _postgres.decide(Server(), declaration)
    elif declaration:
        try:
            with Postgres(params["socket"], user, password) as postgres:
                plan = converge_server(postgres, declaration, module.check_mode)
        except PostgresGone as error:
            if not module.check_mode:
                raise
            notices.append(f"{error} Its databases were not compared.")
    notices += plan.suspicious
    for line in notices:
        module.warn(line)
    return {
        "changed": bool(plan.differences), "diff": plan.diff,
        "differences": [one.as_dict() for one in plan.differences], "notices": notices,
        "statements": [str(statement) for statement in plan.statements],
        "proven": [] if module.check_mode else sorted(declaration.passwords)}
