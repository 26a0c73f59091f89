# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Private to mooring.stack: the step that proves that each Redis account can log in and nobody else."""

from __future__ import annotations

import os
import typing as t

from ansible_collections.mooring.stack.plugins.module_utils._errors import MooringError
from ansible_collections.mooring.stack.plugins.module_utils._redis import Redis, RedisGone

ARGUMENT_SPEC: dict[str, t.Any] = {
    "socket": {"type": "path", "required": True},
    "accounts": {
        "type": "list", "elements": "dict", "default": [],
        "options": {
            "name": {"type": "str", "required": True},
            "password": {"type": "str", "required": True, "no_log": True},
            "rules": {"type": "str"},
        },
    },
}


def try_all(socket: str, accounts: list[dict[str, str]]) -> dict[str, t.Any]:
    """Who gets in."""
    with Redis(socket) as redis:
        stranger_refused = redis.ask("GET", "mooring").startswith("-NOAUTH")
    proven, refused = [], []
    for account in accounts:
        with Redis(socket) as redis:
            answer = redis.ask("AUTH", account["name"], account["password"])
        (proven if answer == "OK" else refused).append(account["name"])
    return {"proven": proven, "refused": refused, "stranger_refused": stranger_refused}


def converge(module: t.Any, params: dict[str, t.Any]) -> dict[str, t.Any]:
    """Try, and fail where somebody is not as declared. Raises :class:`MooringError`."""
    socket: str = params["socket"]
    result: dict[str, t.Any] = {"changed": False, "differences": [], "notices": [], "proven": [], "refused": []}
    if not module.check_mode or os.path.isdir(os.path.dirname(socket)):
        try:
            result.update(try_all(socket, params["accounts"]))
        except RedisGone as error:
            if not module.check_mode:
                raise
            result["notices"] = [str(error)]
            module.warn(str(error))
    wrong = []
    if result["refused"]:
        wrong.append(f"Redis refuses the declared password of: {', '.join(result['refused'])}.")
    if not result.get("stranger_refused", True):
        wrong.append("Redis answers without a login. Its account 'default' must be off.")
    if wrong and not module.check_mode:
        raise MooringError(" ".join(wrong), **result)
    result["notices"] += wrong
    return result
