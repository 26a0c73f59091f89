#!/usr/bin/python
# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: redis_server
short_description: Give a running Redis its declared settings and accounts, and try each account
version_added: 0.2.0
description:
  - Compares the settings that Redis can change while it runs (C(CONFIG GET)) with the declared ones and sets those
    that differ. Nothing is restarted.
  - Logs in as each account through the server's socket, and asks for a key without a login, which must be refused.
    Accounts that were changed, added or removed at run time are found as well. The file of accounts, which somebody
    else writes, is loaded again (C(ACL LOAD)) where anything differs.
  - Fails if an account is refused or a stranger is not after that.
attributes:
  check_mode:
    support: full
    description: >-
      Predicts what a run would set and load. A server that does not answer, or an account that may not look yet, is a
      notice, and where the directory of the socket does not exist yet there is nothing to compare.
  diff_mode:
    support: none
    description: The differences are part of the result.
  idempotent:
    support: full
    description: A second run changes nothing.
options:
  socket:
    description: Path of the server's socket on this host.
    type: path
    required: true
  login_user:
    description: Account that may C(CONFIG GET), C(CONFIG SET), C(ACL LIST) and C(ACL LOAD).
    type: str
    required: true
  login_password:
    description: Its password.
    type: str
    required: true
  settings:
    description: >-
      Settings by name, as in redis.conf, of those that can be set at run time and whose value is a number, a size or
      one word. Names that the server does not know are left alone.
    type: dict
    default: {}
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
        description: What the account may do. Part of what tells a new declaration from a change at run time.
        type: str
  record:
    description: >-
      File on the host that keeps salted digests of the accounts as they were when they had been loaded.
    type: path
    required: true
  service:
    description: >-
      Name of its Compose service. In check mode, where a step before this one in M(mooring.stack.component) loads its
      accounts or starts it anew, that counts as done.
    type: str
    default: ""
author:
  - The mooring.stack authors (@mooring)
"""

EXAMPLES = r"""
- name: Let Redis have the declared settings and accounts
  mooring.stack.redis_server:
    socket: /opt/mooring/data_stores/run/redis/redis.sock
    login_user: health
    login_password: "{{ vault_redis_health_password }}"
    settings:
      maxmemory: 128mb
      maxmemory-policy: allkeys-lru
    accounts:
      - name: demo
        password: "{{ vault_redis_demo_password }}"
    record: /opt/mooring/data_stores/.redis-accounts.json
"""

RETURN = r"""
differences:
  description: Object, field, expected and found of everything that differs.
  type: list
  elements: dict
  returned: always
  sample: [{object: redis setting maxmemory, field: value, expected: "134217728", found: "0"}]
notices:
  description: What a person should look at.
  type: list
  elements: str
  returned: always
proven:
  description: The accounts that logged in.
  type: list
  elements: str
  returned: always
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.mooring.stack.plugins.module_utils._errors import domain_errors
from ansible_collections.mooring.stack.plugins.module_utils._step_redis_server import ARGUMENT_SPEC, converge


def main() -> None:
    """Parse, converge, report."""
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    with domain_errors(module):
        module.exit_json(**converge(module, module.params))


if __name__ == "__main__":
    main()
