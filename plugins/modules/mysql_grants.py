#!/usr/bin/python
# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: mysql_grants
short_description: Make MySQL schemas, accounts and grants equal to what is declared
version_added: 0.1.0
description:
  - Creates declared schemas and accounts, and makes the privileges of each declared account exactly what is declared.
  - Privileges are compared by what they mean, not by how they were written. ALL is spelt out per level as the server
    itself lists it.
  - Runs on the host of the server and speaks through the server's socket, so that no port has to be published.
  - Accounts and schemas that are not declared are never touched, and neither are C(root@localhost) and the accounts
    of the server itself (C(mysql.*)).
  - Password hashes are never read. Whether a password is the declared one is found out by logging in.
attributes:
  check_mode:
    support: full
    description:
      - Predicts the same statements. Where the directory of the socket does not exist yet, everything is predicted as
        to be created. Where it exists and no server answers, a warning says that nothing could be compared.
  diff_mode:
    support: full
    description: Shows what differs for each account. Passwords are masked.
  idempotent:
    support: full
    description: A second run with the same parameters changes nothing.
options:
  socket:
    description: Path of the server's socket on this host.
    type: path
    required: true
  login_user:
    description: The account that makes the changes, as the server sees it on its socket.
    type: str
    default: root
  login_password:
    description: The password of that account.
    type: str
    required: true
  schemas:
    description:
      - Names of schemas that must exist. Missing ones are created with the character set utf8mb4.
      - Names are case-sensitive. A declared name that differs only in case from an existing schema is refused.
    type: list
    elements: str
    default: []
  accounts:
    description: Accounts that must exist.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: The user part of the account.
        type: str
        required: true
      host:
        description:
          - The host part of the account, C(%) meaning any.
          - Only an account that the server's socket reaches (C(%) or C(localhost)) can be tried. For others the
            password is set when the account is created and not compared later; a warning says so.
        type: str
        default: "%"
      password:
        description: The password. An empty one is refused.
        type: str
        required: true
      grants:
        description:
          - For each level a list of privileges. A level is C(*.*), C(schema.*) or C(schema.table).
          - Names that contain a dot or a space stand in backquotes.
          - In C(schema.*) an underscore means itself. A name that contains C(%) is a pattern as MySQL reads it, where
            C(_) and C(%) are wildcards unless a backslash stands before them.
          - C(GRANT OPTION) is written as one of the privileges.
        type: dict
        default: {}
      require_tls:
        description: Whether the account may log in only over TLS.
        type: bool
        default: true
      max_user_connections:
        description: How many connections the account may have at a time; 0 means no limit of its own.
        type: int
        default: 0
      match:
        description:
          - V(exact) revokes what the account has and is not declared, granted roles included.
          - V(at_least) only adds what is missing.
        type: str
        choices: [exact, at_least]
        default: exact
      administrator:
        description:
          - Whether the account may be given ALL or GRANT OPTION on C(*.*), or more than SELECT on the schema C(mysql).
            Without it this is refused.
        type: bool
        default: false
requirements:
  - PyMySQL on the host (package python3-pymysql)
author:
  - The mooring.stack authors (@mooring)
"""

EXAMPLES = r"""
- name: Converge the application's schema and its accounts
  mooring.stack.mysql_grants:
    socket: /opt/mooring/data_stores/run/mysqld/mysqld.sock
    login_password: "{{ vault_mysql_root_password }}"
    schemas: [taken]
    accounts:
      - name: taken
        password: "{{ vault_mysql_taken_password }}"
        grants:
          taken.*: [SELECT, INSERT, UPDATE, DELETE]
      - name: exporter
        password: "{{ vault_mysql_exporter_password }}"
        max_user_connections: 3
        grants:
          "*.*": [PROCESS, REPLICATION CLIENT, SELECT]
"""

RETURN = r"""
differences:
  description: Object, field, expected and found of everything that is not as declared and that a run heals.
  returned: success
  type: list
  elements: dict
  sample: [{object: "account 'demo'@'%'", field: max_user_connections, expected: 10, found: 0}]
notices:
  description: What a person should look at and a run does not heal, one sentence each.
  returned: success
  type: list
  elements: str
statements:
  description: The SQL statements that were run, or would be in check mode. Passwords are masked.
  type: list
  elements: str
  returned: always
  sample:
    - CREATE DATABASE `taken` CHARACTER SET utf8mb4
    - "GRANT DELETE, INSERT, SELECT, UPDATE ON `taken`.* TO 'taken'@'%'"
changes:
  description: What is different, one element for each schema or account.
  type: list
  elements: dict
  returned: always
  contains:
    subject:
      description: The schema or account.
      type: str
    action:
      description: V(created) or V(changed).
      type: str
suspicious:
  description: Grants that probably do not do what was meant. Each is also a warning.
  type: list
  elements: str
  returned: always
  sample: ["grant on `orders`.* for 'app'@'%', but there is no such schema; the closest is `order`"]
proven:
  description: The declared accounts that logged in with the declared password.
  type: list
  elements: str
  returned: always
unproven:
  description: The declared accounts that the server's socket does not reach, so that nobody tried.
  type: list
  elements: str
  returned: always
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.mooring.stack.plugins.module_utils._errors import domain_errors
from ansible_collections.mooring.stack.plugins.module_utils._step_mysql_grants import ARGUMENT_SPEC, converge


def main() -> None:
    """Parse, converge, report."""
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    with domain_errors(module):
        module.exit_json(**converge(module, module.params))


if __name__ == "__main__":
    main()
