#!/usr/bin/python
# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: mysql_grants
short_description: Make MySQL schemas, accounts, roles and grants equal to what is declared, and prove it
version_added: 0.1.0
description:
  - Creates declared schemas, roles and accounts, and makes what each declared one holds exactly what is declared.
  - Privileges are compared by their effect, not by how they were written. ALL is spelt out per level as the server
    itself lists it, and what a broader level gives is neither missing nor too much at a narrower one.
  - Runs on the host of the server and speaks through the server's socket, so that no port has to be published. The
    server's tables are read with a constant number of queries, however many accounts there are.
  - Accounts and schemas that are not declared are left alone, unless O(exclusive), and reported if they are odd.
    C(root@localhost), the accounts of the server itself (C(mysql.*)) and the account that this runs as keep their
    rights always.
  - Password hashes are never read. Whether a password is the declared one is found out by logging in.
  - Every statement is run even if one before it fails; the failing ones are named, and the run fails.
  - One run at a time; another one waits for a minute. MySQL 8.0.16 and later can be managed, MariaDB cannot.
attributes:
  check_mode:
    support: full
    description:
      - Predicts the same statements. Where the directory of the socket does not exist yet, everything is predicted as
        to be created. Where it exists and no server answers, a warning says that nothing could be compared.
      - The proof of O(verify) over TCP is left out.
  diff_mode:
    support: full
    description: Shows what differs for each account. Passwords are masked.
  idempotent:
    support: full
    description: A second run with the same parameters changes nothing, until O(old_password_hours) have passed.
options:
  socket:
    description: Path of the server's socket on this host.
    type: path
    required: true
  login_user:
    description: >-
      The account that makes the changes, as the server sees it on its socket. It needs SELECT on C(mysql.*), CREATE
      USER with SYSTEM_USER, RELOAD, and everything that it is to grant, with GRANT OPTION.
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
    description: Accounts and roles that must exist, or must not.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: The user part of the account.
        type: str
        required: true
      host:
        description: The host part of the account, C(%) meaning any.
        type: str
        default: "%"
      state:
        description: >-
          Whether it exists. V(absent) drops it, and needs nothing but name and host. It is refused where views,
          routines, events or triggers run with its rights.
        type: str
        choices: [present, absent]
        default: present
      role:
        description:
          - Whether it is a role, which has no password and cannot log in. Accounts and other roles become members of
            it.
        type: bool
        default: false
      grants:
        description:
          - For each level a list of privileges. A level is C(*.*), C(schema.*), C(schema.table),
            C(PROCEDURE schema.name), C(FUNCTION schema.name) or, with MySQL 9.2 and later, C(LIBRARY schema.name).
          - Names that contain a dot or a space stand in backquotes.
          - In C(schema.*) an underscore means itself. A name that contains C(%) is a pattern as MySQL reads it, where
            C(_) and C(%) are wildcards unless a backslash stands before them.
          - Single columns of a table are written C(SELECT (a, b)).
          - C(GRANT OPTION) is written as one of the privileges.
          - A grant on a table or routine that does not exist is reported, and made by a run that finds it there.
        type: dict
        default: {}
      without:
        description:
          - Partial revokes. For each schema (C(mysql.*)) privileges that are held on C(*.*) and not there.
          - The server needs C(partial_revokes) for it.
        type: dict
        default: {}
      roles:
        description:
          - Roles that it has, each as C(name) or C(name@host), and with C(WITH ADMIN OPTION) behind it if it may pass
            the role on. All of them are active after a login.
        type: list
        elements: str
        default: []
      match:
        description:
          - V(exact) revokes what it has and is not declared, roles included.
          - V(at_least) only adds what is missing.
        type: str
        choices: [exact, at_least]
        default: exact
      administrator:
        description:
          - Whether it may be given what lets it give itself everything. That is ALL, GRANT OPTION, CREATE USER, FILE,
            SUPER and their like on C(*.*), writing to the schema C(mysql), be it by a privilege on C(*.*) or a pattern,
            and acting as C(root@localhost). Without it this is refused.
        type: bool
        default: false
      password:
        description:
          - The password. Required for what is present and no role; an empty one is refused.
          - An account can be tried if a login from this host reaches it, through the socket or, with O(verify), over
            TCP, and if that costs it nothing. It does where the account has a limit per hour, FAILED_LOGIN_ATTEMPTS or
            REQUIRE X509. Of the others a changed declaration is seen if there is a O(record), and a change on the
            server is not; a notice says so.
        type: str
      proxy_for:
        description: >-
          Accounts that it may act as, each as C(name) or C(name@host). With C(WITH GRANT OPTION) behind it MySQL gives
          C(GRANT OPTION) on C(*.*) too, which is to be declared as well.
        type: list
        elements: str
        default: []
      require_tls:
        description: Whether the account may log in only over TLS.
        type: bool
        default: true
      locked:
        description: Whether the account may not log in at all.
        type: bool
        default: false
      max_user_connections:
        description: How many connections the account may have at a time; 0 means no limit of its own.
        type: int
        default: 0
      max_connections_per_hour:
        description: How often the account may log in within an hour; 0 means no limit.
        type: int
        default: 0
      max_queries_per_hour:
        description: How many queries the account may send within an hour; 0 means no limit.
        type: int
        default: 0
      max_updates_per_hour:
        description: How many changes the account may make within an hour; 0 means no limit.
        type: int
        default: 0
  exclusive:
    description:
      - Whether accounts and roles that are not declared are dropped. Roles that a declared account has stay, accounts
        that it may act as, what these have in turn, mandatory roles, and accounts with whose rights views, routines,
        events or triggers run.
    type: bool
    default: false
  old_password_hours:
    description:
      - When a declared password changes, the old one stays valid beside it for this many hours, so that clients can
        follow without an outage. A run after that discards it. 0 discards it at once. The server keeps two passwords,
        so that of three within that time the first is gone.
      - A password that somebody changed on the server instead is never kept valid, if O(record) tells the two apart.
    type: int
    default: 24
  record:
    description: >-
      A file on the host in which to remember what was declared, as salted digests (mode 0600).
    type: path
  verify:
    description:
      - Whether to compare what the server honours (SHOW GRANTS) with what its tables say, and to log in as each
        declared account over TCP with TLS, as its application would, and try what it may and may not do. The statements
        for that change nothing whoever runs them, and are not written to the binary log; each names a table that does
        not exist. Accounts for which a login costs something are left out.
    type: bool
    default: false
  address:
    description: Host and port for the proof, such as V(192.0.2.10:3306).
    type: str
    default: ""
  container:
    description: A container whose address is taken where O(address) is not given.
    type: str
    default: ""
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

- name: Let reporting read two columns of one table, by a role, and drop who left; prove it
  mooring.stack.mysql_grants:
    socket: /opt/mooring/data_stores/run/mysqld/mysqld.sock
    login_password: "{{ vault_mysql_root_password }}"
    accounts:
      - name: reader
        role: true
        grants:
          taken.orders: ["SELECT (id, total)"]
      - name: report
        password: "{{ vault_mysql_report_password }}"
        roles: [reader]
      - name: intern
        state: absent
    verify: true
    container: mooring-data_stores-mysql-1
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
  returned: success
  sample:
    - CREATE DATABASE `taken` CHARACTER SET utf8mb4
    - "GRANT DELETE, INSERT, SELECT, UPDATE ON `taken`.* TO 'taken'@'%'"
failed_statements:
  description: Those that the server refused, with its reason.
  type: list
  elements: str
  returned: when some failed
changes:
  description: What is different, one element for each schema, role or account.
  type: list
  elements: dict
  returned: success
  contains:
    subject:
      description: The schema, role or account.
      type: str
    action:
      description: V(created), V(changed) or V(dropped).
      type: str
suspicious:
  description: >-
    Grants that probably do not do what was meant, and what is odd about accounts that are not declared. Each is also
    a warning.
  type: list
  elements: str
  returned: success
  sample: ["grant on `orders`.* for 'app'@'%', but there is no such schema; the closest is `order`"]
equivalent:
  description: What is declared or held twice, at a level and a broader one, and is no change.
  type: list
  elements: str
  returned: success
  sample: ["'app'@'%': SELECT on `taken`.`orders` follows from what it has at a broader level"]
proven:
  description: The declared accounts that logged in with the declared password.
  type: list
  elements: str
  returned: success
unproven:
  description: The declared accounts that no login from this host reaches, so that nobody tried.
  type: list
  elements: str
  returned: success
refused_probes:
  description: How many statements of the proof the server refused, as it should. 0 without a proof.
  type: int
  returned: success
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
