#!/usr/bin/python
# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: postgres_databases
short_description: Make PostgreSQL databases and the roles that own them equal to what is declared
version_added: 0.2.0
description:
  - Creates declared databases, each with a role that owns it and that can log in and nothing else. The right to
    connect is taken from everybody who was granted it but the owner. Superusers need no right, and a member of the
    owner has the owner's, which is reported.
  - Takes back what was changed by hand, such as SUPERUSER, another password, another owner, a limit of the
    database's connections.
  - Runs on the host of the server and speaks through the server's socket, so that no port has to be published.
  - Roles and databases that are not declared are never touched. A superuser among them is reported.
  - Password hashes are never read. Whether a password is the declared one is found out by logging in. A new one
    is sent as a SCRAM verifier, so that no statement holds it.
attributes:
  check_mode:
    support: full
    description:
      - Predicts the same statements. Where the directory of the socket does not exist yet, everything is predicted as
        to be created. Where it exists and no server answers, a warning says that nothing could be compared.
  diff_mode:
    support: full
    description: Shows what differs field by field. Passwords are masked.
  idempotent:
    support: full
    description: A second run with the same parameters changes nothing.
options:
  socket:
    description: Path of the server's socket on this host, with the name that the server gave it.
    type: path
    required: true
  login_user:
    description: The superuser that makes the changes.
    type: str
    default: postgres
  login_password:
    description: Its password. Required if anything is declared.
    type: str
  databases:
    description:
      - Databases that must exist, with the encoding UTF8 and the collation of C(template0). One of another encoding is
        reported and left as it is.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: Name of the database. Names are case-sensitive.
        type: str
        required: true
      owner:
        description: The role that owns it. The name of the database if not given. One role may own several.
        type: str
      password:
        description: Password of the owner. An empty one is refused.
        type: str
        required: true
      connection_limit:
        description: How many connections the owner may have at a time; -1 means no limit of its own.
        type: int
        default: -1
  roles:
    description: >-
      Roles that must exist and own no declared database. The service makes them itself when it starts, for instance
      one that its health check uses; here they are kept while it runs.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: Name of the role.
        type: str
        required: true
      password:
        description: Its password. An empty one is refused.
        type: str
        required: true
      connection_limit:
        description: How many connections it may have at a time; -1 means no limit of its own.
        type: int
        default: -1
  service:
    description: >-
      Name of its Compose service. In check mode, where a step before this one in M(mooring.stack.component) starts it,
      O(roles) count as made.
    type: str
    default: ""
requirements:
  - psycopg2 on the host (package python3-psycopg2)
notes:
  - The server has to write its messages in English (C(lc_messages = 'C')), because psycopg2 tells why a login was
    refused only in words.
author:
  - The mooring.stack authors (@mooring)
"""

EXAMPLES = r"""
- name: Converge the application's database
  mooring.stack.postgres_databases:
    socket: /opt/mooring/data_stores/run/postgres/.s.PGSQL.5432
    login_password: "{{ vault_postgres_admin_password }}"
    databases:
      - name: shop
        password: "{{ vault_postgres_shop_password }}"
        connection_limit: 20
"""

RETURN = r"""
differences:
  description: Object, field, expected and found of everything that is not as declared and that a run heals.
  returned: success
  type: list
  elements: dict
  sample: [{object: postgres role shop, field: superuser, expected: false, found: true}]
notices:
  description: What a person should look at and a run does not heal, one sentence each. Each is also a warning.
  returned: success
  type: list
  elements: str
statements:
  description: The SQL statements that were run, or would be in check mode. Passwords are masked.
  returned: success
  type: list
  elements: str
  sample: ['ALTER ROLE "shop" NOSUPERUSER', "ALTER ROLE \"shop\" PASSWORD '********'"]
proven:
  description: The declared roles that logged in with the declared password. Empty in check mode.
  returned: success
  type: list
  elements: str
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.mooring.stack.plugins.module_utils._errors import domain_errors
from ansible_collections.mooring.stack.plugins.module_utils._step_postgres_databases import ARGUMENT_SPEC, converge


def main() -> None:
    """Parse, converge, report."""
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    with domain_errors(module):
        module.exit_json(**converge(module, module.params))


if __name__ == "__main__":
    main()
