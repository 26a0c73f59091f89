#!/usr/bin/python
# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: redis_login
short_description: Prove that Redis accounts can log in, and that nobody else can
version_added: 0.1.0
description:
  - Logs in as each account through the server's socket, and asks for a key without logging in, which must be refused.
  - Changes nothing. Fails if an account is refused or a stranger is not.
attributes:
  check_mode:
    support: full
    description: >-
      Never fails for what an earlier task of the same run would put right. A server that does not answer is a warning,
      and where the directory of the socket does not exist yet there is nothing to prove.
  diff_mode:
    support: none
    description: There is nothing to change.
  idempotent:
    support: full
    description: It changes nothing.
options:
  socket:
    description: Path of the server's socket on this host.
    type: path
    required: true
  accounts:
    description: Accounts that must be able to log in.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: Name of the account.
        type: str
        required: true
      password:
        description: The password.
        type: str
        required: true
      rules:
        description: What the account may do. Accepted so that one list serves all; not looked at.
        type: str
author:
  - The mooring.stack authors (@mooring)
"""

EXAMPLES = r"""
- name: Prove that the application's account can log in
  mooring.stack.redis_login:
    socket: /opt/mooring/data_stores/run/redis/redis.sock
    accounts:
      - name: demo
        password: "{{ vault_redis_demo_password }}"
"""

RETURN = r"""
proven:
  description: The accounts that logged in.
  type: list
  elements: str
  returned: always
refused:
  description: The accounts that could not. Outside check mode this is a failure.
  type: list
  elements: str
  returned: always
stranger_refused:
  description: Whether a command without a login was refused.
  type: bool
  returned: when the server answered
"""

import os
import typing as t

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.mooring.stack.plugins.module_utils._errors import MooringError, domain_errors
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


def main() -> None:
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    socket: str = module.params["socket"]
    result: dict[str, t.Any] = {"proven": [], "refused": []}
    with domain_errors(module):
        if not module.check_mode or os.path.isdir(os.path.dirname(socket)):
            try:
                result = try_all(socket, module.params["accounts"])
            except RedisGone as error:
                if not module.check_mode:
                    raise
                module.warn(str(error))
        if not module.check_mode and result["refused"]:
            raise MooringError(f"Redis refuses the declared password of: {', '.join(result['refused'])}.", **result)
        if not module.check_mode and not result["stranger_refused"]:
            raise MooringError("Redis answers without a login. Its account 'default' must be off.", **result)
    module.exit_json(changed=False, **result)


if __name__ == "__main__":
    main()
