# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Private to mooring.stack: the step that makes MySQL's accounts as declared, and proves it by logging in as each."""

from __future__ import annotations

import contextlib
import dataclasses
import secrets
import typing as t

from ansible_collections.mooring.stack.plugins.module_utils import _files as files
from ansible_collections.mooring.stack.plugins.module_utils._docker import Docker
from ansible_collections.mooring.stack.plugins.module_utils._errors import MooringError
from ansible_collections.mooring.stack.plugins.module_utils._grants import (
    ACCOUNT_SPEC,
    Desired,
    Server,
    Who,
    desired_account,
)
from ansible_collections.mooring.stack.plugins.module_utils._grants_decide import Plan, Rotation, decide
from ansible_collections.mooring.stack.plugins.module_utils._grants_proof import expectations, same
from ansible_collections.mooring.stack.plugins.module_utils._mysql import (
    OTHER_ACCOUNT,
    Mysql,
    MysqlGone,
)
from ansible_collections.mooring.stack.plugins.module_utils._record import Record
from ansible_collections.mooring.stack.plugins.module_utils._stores import (
    apply_all,
    prove_nothing_is_left,
    server_expected,
)

ARGUMENT_SPEC: dict[str, t.Any] = {
    "socket": {"type": "path", "required": True},
    "login_user": {"type": "str", "default": "root"},
    "login_password": {"type": "str", "required": True, "no_log": True},
    "schemas": {"type": "list", "elements": "str", "default": []},
    "accounts": {"type": "list", "elements": "dict", "default": [], "options": ACCOUNT_SPEC},
    "exclusive": {"type": "bool", "default": False},
    # Hours; no secret in spite of its name.
    "old_password_hours": {"type": "int", "default": 24, "no_log": False},
    "record": {"type": "path"},
    "verify": {"type": "bool", "default": False},
    "address": {"type": "str", "default": ""},
    "container": {"type": "str", "default": ""},
}
# What a statement does can bring forth another difference, such as when a grant on *.* that is taken goes with what
# it implied.
ROUNDS = 2


class Target:
    """A server and what is declared of it."""

    def __init__(
        self, mysql: Mysql | None, params: dict[str, t.Any], accounts: list[Desired], recorded: Record, address: str,
    ) -> None:
        self._mysql = mysql
        self._params = params
        self.address = address
        self.settled: set[Who] = set()
        self.accounts = accounts
        self.declared_before = {
            one.who: recorded.accounts[str(one.who)] == recorded.digest(one.password)
            for one in accounts if one.password and str(one.who) in recorded.accounts}

    @property
    def with_password(self) -> list[Desired]:
        """The declared accounts that can log in."""
        return [one for one in self.accounts if one.password and one.present]

    def read(self) -> Server:
        """The server as it is; the empty one where there is none yet."""
        if self._mysql is None:
            return Server()
        dropping = self._params["exclusive"] or any(not one.present for one in self.accounts)
        server = self._mysql.read(self.accounts, self.address, dropping)
        if not self._params["verify"]:
            return server
        accounts = dict(server.accounts)
        for account in self.accounts:
            if account.present and account.who in accounts:
                found = accounts[account.who]
                honoured = self._mysql.honoured(account.who, server)
                accounts[account.who] = dataclasses.replace(found, in_force=same(honoured, found.grants))
        return dataclasses.replace(server, accounts=accounts)

    def decide(self, server: Server) -> Plan:
        """What is missing; raises :class:`MooringError` for what is refused."""
        rotation = Rotation(self._params["old_password_hours"], self.declared_before, self.settled)
        return decide(server, self._params["schemas"], self.accounts, self._params["exclusive"], rotation)

    def converge(self, server: Server, plan: Plan) -> tuple[Server, Plan]:
        """Apply the plan; the server afterwards, and what is left to do."""
        for _round in range(ROUNDS):
            if not plan.changes:
                break
            apply_all(plan.statements, self._mysql.apply)
            # All have the declared password now; a login that fails all the same has another reason.
            self.settled = {one.who for one in self.with_password}
            server = self.read()
            plan = self.decide(server)
        return server, plan


def prove(server: Server, plan: Plan, accounts: t.Iterable[Desired]) -> None:
    """What was applied has arrived: nothing is left to do, and no declared account was locked out."""
    prove_nothing_is_left("MySQL", plan.statements)
    refused = [str(account.who) for account in accounts if server.accounts[account.who].accepts_password is False]
    if refused:
        raise MooringError(f"These accounts cannot log in with the declared password: {', '.join(refused)}. "
                           f"{OTHER_ACCOUNT}")


def prove_from_outside(
    mysql: Mysql, server: Server, accounts: t.Iterable[Desired], schemas: t.Sequence[str], address: str,
) -> tuple[list[str], int]:
    """Log in as each account as its application would, and try what it may and may not do.

    Returns the accounts that nobody can try from this host, and how much the server refused, as it
    should. Raises :class:`MooringError` naming everything that is not as it was read.
    """
    wrong, unreached, refused = [], [], 0
    for account in accounts:
        if not server.accounts[account.who].may_try:
            unreached.append(str(account.who))
            continue
        expected = expectations(server, account.who, schemas)
        answers = mysql.tries(account.who, account.password, address, [probe for probe, _where, _may in expected])
        if answers is None:
            unreached.append(str(account.who))
            continue
        for (probe, where, may), no in zip(expected, answers, strict=False):
            refused += no is True
            if no is may:
                names = " or ".join(sorted(probe.privileges))
                wrong.append(f"{account.who} {'is refused' if may else 'is allowed'} {names} on {where}")
    if wrong:
        raise MooringError("The server does not answer as its tables say: " + "; ".join(wrong) + ".")
    return unreached, refused


def address_of(params: dict[str, t.Any], docker: Docker, check_mode: bool) -> str:
    """Where accounts are tried over TCP: as declared, or the address that a container has; "" for nowhere.

    A container that has none is an error, but not in check mode: the run may give it one before it gets here.
    """
    if params["address"] or not params["container"]:
        return params["address"]
    for found in docker.inspect("container", [params["container"]]):
        for network in found["NetworkSettings"]["Networks"].values():
            if network.get("IPAddress"):
                return f"{network['IPAddress']}:3306"
    if check_mode:
        return ""
    raise MooringError(f"The container {params['container']} has no address at which accounts could be tried.")


def converge(module: t.Any, params: dict[str, t.Any]) -> dict[str, t.Any]:
    """Read, decide, apply, prove; the result. Raises :class:`MooringError`."""
    if params["old_password_hours"] < 0:
        raise MooringError("old_password_hours is a number of hours, at least 0.")
    mysql, address, notices = None, "", []
    docker = Docker(module.run_command)
    # What is declared wrong is said before anybody asks the server.
    accounts = [desired_account(one) for one in params["accounts"]]
    if not module.check_mode or server_expected(params["socket"]):
        try:
            mysql = Mysql(params["socket"], params["login_user"], params["login_password"])
        except MysqlGone as error:
            if not module.check_mode:
                raise
            notices.append(f"{error} Its accounts were not compared.")
    if mysql:
        address = address_of(params, docker, module.check_mode) if params["verify"] else ""
        if not module.check_mode:
            mysql.lock()
    recorded = Record.from_json(
        files.read_text(params["record"]) if params["record"] else None, secrets.token_hex(16), params["record"] or "")
    target = Target(mysql, params, accounts, recorded, address)
    server = target.read()
    plan = Plan() if notices else target.decide(server)
    result = {
        "changed": bool(plan.changes), "diff": plan.diff,
        "differences": [one.as_dict() for one in plan.differences], "statements": list(map(str, plan.statements)),
        "changes": [{"subject": change.subject, "action": change.action} for change in plan.changes],
        "suspicious": list(plan.suspicious), "equivalent": list(plan.equivalent), "refused_probes": 0}
    for line in (*notices, *plan.suspicious):
        module.warn(line)
    notices += plan.suspicious
    unreached: list[str] = []
    if mysql and not module.check_mode:
        try:
            server, left = target.converge(server, plan)
            # Before anything can fail: the next run has to know what this one has set.
            if params["record"]:
                _remember(params["record"], recorded, target.with_password)
            prove(server, left, target.with_password)
            if address:
                schemas = sorted({*params["schemas"], "mysql"} & server.schemas)
                near = docker.inside(params["container"]) if not params["address"] else contextlib.nullcontext()
                with near:
                    unreached, result["refused_probes"] = prove_from_outside(
                        mysql, server, target.with_password, schemas, address)
        except MooringError as error:
            raise MooringError(str(error), **{**result, "notices": notices, **error.details}) from error
    if mysql:
        mysql.close()

    tried = {account.who: server.accounts[account.who].accepts_password
             for account in target.with_password if account.who in server.accounts}
    unproven = [str(who) for who, accepted in tried.items() if accepted is None and (
        not address or str(who) in unreached)]
    if unproven and not module.check_mode:
        notices.append(f"No login from here tells whether the passwords of {', '.join(unproven)} are the declared "
                       "ones: their hosts are others, or a login would use up their limits.")
        module.warn(notices[-1])
    return {**result, "notices": notices, "proven": [str(who) for who in tried if str(who) not in unproven],
            "unproven": unproven}


def _remember(path: str, recorded: Record, accounts: t.Iterable[Desired]) -> None:
    """Keep digests of what is declared, if that is news."""
    record = recorded.of("", {str(account.who): account.password for account in accounts})
    if record != recorded:
        files.write_file(path, record.to_json().encode(), 0o600)
