# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Private to mooring.stack: the step that gives a running Redis its declared settings and accounts, and tries them."""

from __future__ import annotations

import secrets
import typing as t

from ansible_collections.mooring.stack.plugins.module_utils import _files as files
from ansible_collections.mooring.stack.plugins.module_utils import _project as project
from ansible_collections.mooring.stack.plugins.module_utils import _redis
from ansible_collections.mooring.stack.plugins.module_utils._errors import MooringError
from ansible_collections.mooring.stack.plugins.module_utils._record import Record
from ansible_collections.mooring.stack.plugins.module_utils._redis import Found, Redis, Refused
from ansible_collections.mooring.stack.plugins.module_utils._stores import server_expected

ARGUMENT_SPEC: dict[str, t.Any] = {
    "socket": {"type": "path", "required": True},
    "login_user": {"type": "str", "required": True},
    "login_password": {"type": "str", "required": True, "no_log": True},
    "settings": {"type": "dict", "default": {}},
    "accounts": {
        "type": "list", "elements": "dict", "default": [],
        "options": {
            "name": {"type": "str", "required": True},
            "password": {"type": "str", "required": True, "no_log": True},
            "rules": {"type": "str"},
        },
    },
    "record": {"type": "path", "required": True},
    "service": {"type": "str", "default": ""},
}
AFTER_SERVICES = True


def stranger_is_refused(socket: str) -> bool:
    """Whether a command without a login is refused."""
    with Redis(socket) as redis:
        try:
            redis.ask("GET", "mooring")
        except Refused as error:
            return str(error).startswith("NOAUTH")
    return False


def login(redis: Redis, params: dict[str, t.Any]) -> None:
    """Log in as the account that may look at everything."""
    if not redis.accepts(params["login_user"], params["login_password"]):
        raise MooringError(f"Redis refuses the declared password of {params['login_user']}.")


def read(params: dict[str, t.Any], recorded: Record) -> Found:
    """What the server says. Raises :class:`MooringError`, :class:`Refused` where the account may not look."""
    refused = []
    for account in params["accounts"]:
        with Redis(params["socket"]) as redis:
            if not redis.accepts(account["name"], account["password"]):
                refused.append(account["name"])
    with Redis(params["socket"]) as redis:
        login(redis, params)
        answer = redis.ask("CONFIG", "GET", *params["settings"]) if params["settings"] else []
        listed = redis.ask("ACL", "LIST")
    settings = {name: answer[place + 1] for place, name in enumerate(answer) if place % 2 == 0}
    return Found(settings, tuple(refused), stranger_is_refused(params["socket"]),
                 _redis.record(recorded, params["accounts"], listed))


def load_accounts(params: dict[str, t.Any]) -> None:
    """Let the server read the file of accounts."""
    with Redis(params["socket"]) as redis:
        login(redis, params)
        redis.ask("ACL", "LOAD")


def apply(params: dict[str, t.Any], differences: list[_redis.Difference]) -> None:
    """Load the file of accounts again, unless only settings differ, and set what is set otherwise."""
    wrong = {one.object.rpartition(" ")[2]: one.expected for one in differences if one.field == "value"}
    if not wrong or len(wrong) < len(differences):
        load_accounts(params)
    with Redis(params["socket"]) as redis:
        login(redis, params)
        for name, value in wrong.items():
            redis.ask("CONFIG", "SET", name, value)


def converge(module: t.Any, params: dict[str, t.Any], planned: t.Mapping[str, str] | None = None) -> dict[str, t.Any]:
    """Read, decide, apply, try again; ``planned`` is what happens to services before. Raises :class:`MooringError`."""
    result: dict[str, t.Any] = {"changed": False, "differences": [], "notices": [], "proven": []}
    before = (planned or {}).get(params["service"]) if module.check_mode else None
    # What starts reads its settings and its accounts.
    if module.check_mode and (
            before in project.STARTS or not server_expected(params["socket"])):
        return result
    recorded = Record.from_json(files.read_text(params["record"]), secrets.token_hex(16), params["record"])
    try:
        try:
            found = read(params, recorded)
        except Refused:
            if module.check_mode:
                raise
            # It may load what gives it the right to look.
            load_accounts(params)
            found = read(params, recorded)
        differences = _redis.decide(params["settings"], recorded, found)
        if before == project.RELOAD:
            # A reload reads the accounts and no settings.
            differences = [one for one in differences if one.field == "value"]
        result.update(changed=bool(differences), differences=[one.as_dict() for one in differences],
                      proven=[one["name"] for one in params["accounts"] if one["name"] not in found.refused])
        if module.check_mode:
            return result
        if differences or recorded.declared != found.record.declared:
            apply(params, differences)
            found = read(params, recorded)
        left = _redis.decide(params["settings"], Record(""), found)
    except MooringError as error:
        # Before the first run, while it is stopped, or with accounts that the run has yet to load.
        if not module.check_mode:
            raise MooringError(str(error), **{**result, **error.details}) from error
        return {**result, "notices": [f"Redis was not compared: {error}"]}
    if left:
        raise MooringError(f"Redis is still not as declared: {'; '.join(map(str, left))}.", **result)
    result["proven"] = [one["name"] for one in params["accounts"]]
    if found.record != recorded:
        files.write_file(params["record"], found.record.to_json().encode(), 0o600)
    return result
