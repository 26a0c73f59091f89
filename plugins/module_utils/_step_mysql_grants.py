# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Private to mooring.stack: the step that makes MySQL's accounts as declared, and logs in as each."""

from __future__ import annotations

import typing as t

from ansible_collections.mooring.stack.plugins.module_utils._errors import MooringError
from ansible_collections.mooring.stack.plugins.module_utils._grants import (
    Desired,
    Plan,
    Server,
    decide,
    desired_account,
)
from ansible_collections.mooring.stack.plugins.module_utils._mysql import Mysql, MysqlGone, server_expected

ARGUMENT_SPEC: dict[str, t.Any] = {
    "socket": {"type": "path", "required": True},
    "login_user": {"type": "str", "default": "root"},
    "login_password": {"type": "str", "required": True, "no_log": True},
    "schemas": {"type": "list", "elements": "str", "default": []},
    "accounts": {
        "type": "list", "elements": "dict", "default": [],
        "options": {
            "name": {"type": "str", "required": True},
            "host": {"type": "str", "default": "%"},
            "password": {"type": "str", "required": True, "no_log": True},
            "grants": {"type": "dict", "default": {}},
            "require_tls": {"type": "bool", "default": True},
            "max_user_connections": {"type": "int", "default": 0},
            "match": {"type": "str", "choices": ["exact", "at_least"], "default": "exact"},
            "administrator": {"type": "bool", "default": False},
        },
    },
}


def apply(mysql: Mysql, plan: Plan) -> None:
    """Run every statement; one that fails does not keep the others from being run."""
    failures = []
    for statement in plan.statements:
        try:
            mysql.apply(statement)
        except MooringError as error:
            failures.append(str(error))
    if failures:
        done = len(plan.statements) - len(failures)
        raise MooringError(f"{len(failures)} of {len(plan.statements)} statements failed, the other {done} are in "
                           "effect. " + " ".join(failures), failed_statements=failures)


def prove(server: Server, plan: Plan, accounts: list[Desired]) -> None:
    """What was applied has arrived: nothing is left to do, and no declared account was locked out."""
    left = [str(statement) for statement in plan.statements]
    if left:
        raise MooringError("MySQL took every statement, and yet these are still needed: " + "; ".join(left))
    refused = [str(account.who) for account in accounts if server.accounts[account.who].accepts_password is False]
    if refused:
        raise MooringError(f"These accounts cannot log in with the declared password: {', '.join(refused)}")


def converge(module: t.Any, params: dict[str, t.Any]) -> dict[str, t.Any]:
    """Read, decide, apply, prove; the result. Raises :class:`MooringError`."""
    accounts = [desired_account(account) for account in params["accounts"]]
    passwords = {account.who: account.password for account in accounts}
    server, mysql, notices = Server(), None, []
    if not module.check_mode or server_expected(params["socket"]):
        try:
            mysql = Mysql(params["socket"], params["login_user"], params["login_password"])
        except MysqlGone as error:
            if not module.check_mode:
                raise
            notices.append(f"{error} Its accounts were not compared.")
    plan = Plan((), ())
    if mysql:
        server = mysql.read(passwords)
    if not notices:
        plan = decide(server, params["schemas"], accounts)
    if mysql:
        if plan.changes and not module.check_mode:
            apply(mysql, plan)
            server = mysql.read(passwords)
            prove(server, decide(server, params["schemas"], accounts), accounts)
        mysql.close()

    tried = {account.who: server.accounts[account.who].accepts_password
             for account in accounts if account.who in server.accounts}
    unproven = [str(who) for who, accepted in tried.items() if accepted is None]
    notices += plan.suspicious
    if unproven and not module.check_mode:
        notices.append(f"The server's socket does not reach {', '.join(unproven)}: their passwords were not compared.")
    for line in notices:
        module.warn(line)
    return {
        "changed": bool(plan.changes), "diff": plan.diff,
        "differences": [one.as_dict() for one in plan.differences], "notices": notices,
        "statements": [str(statement) for statement in plan.statements],
        "changes": [{"subject": change.subject, "action": change.action} for change in plan.changes],
        "suspicious": list(plan.suspicious),
        "proven": [str(who) for who, accepted in tried.items() if accepted],
        "unproven": unproven}
