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
differences:
  description: Empty; this module heals nothing.
  returned: success
  type: list
  elements: dict
notices:
  description: What a person should look at and a run does not heal, one sentence each.
  returned: success
  type: list
  elements: str
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

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.mooring.stack.plugins.module_utils._errors import domain_errors
from ansible_collections.mooring.stack.plugins.module_utils._step_redis_login import ARGUMENT_SPEC, converge


def main() -> None:
    """Parse, converge, report."""
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    with domain_errors(module):
        module.exit_json(**converge(module, module.params))


if __name__ == "__main__":
    main()
