#!/usr/bin/python
# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: data_directory
short_description: Whether a server may be started on a volume
version_added: "0.2.0"
description:
  - Looks at the data directory in a Docker volume and at who uses it, before a server is started on it, and
    refuses what could cost data. It changes nothing but its own record.
  - It refuses an empty directory where there was data, a volume that a container of somebody else has in use, files of
    another user, and data of another cluster of Kafka than before. The message says how to go on.
  - Of MySQL and PostgreSQL it also refuses an upgrade that nobody has asked for, one that skips a series, a downgrade,
    files of MariaDB, and a directory whose creation failed half-way. Where nobody can tell the version of the data, it
    refuses as well. Kafka and Elasticsearch refuse themselves what they cannot read.
  - A data directory that somebody else has made is adopted.
options:
  engine:
    description: The server.
    type: str
    choices: [elasticsearch, kafka, mysql, postgresql]
    required: true
  volume:
    description: Name of the volume. An empty one makes the module do nothing, for a server that is optional.
    type: str
    required: true
  external:
    description: Whether the volume must exist already, because the project does not make it.
    type: bool
    default: false
  project:
    description: Name on the engine of the Compose project that runs the server.
    type: str
    required: true
  image:
    description: >-
      Image of the server. Its series is that of the variables C(MYSQL_VERSION), C(MYSQL_MAJOR), C(PG_VERSION) or
      C(PG_MAJOR) in it, or else of its tag.
    type: str
    required: true
  owner:
    description: Numeric uid that the server runs as. Data of another user is refused. Not compared if not given.
    type: int
  upgrade_from:
    description: >-
      The series that may be upgraded, such as C(8.4). It has to be the one that is there; where nobody can tell that,
      it is taken for it. PostgreSQL does not upgrade data in place and has no use for it.
    type: str
    default: ""
  record:
    description: Path of a file, with mode 0600, that keeps where data was, its version and its cluster.
    type: path
    required: true
  stage:
    description:
      - V(before) looks and refuses.
      - V(after) comes when the server runs, and only records what is there now.
    type: str
    choices: [before, after]
    default: before
attributes:
  check_mode:
    support: full
    description: Refuses and predicts the same, and records nothing. Where no engine answers, nothing is looked at.
  diff_mode:
    support: none
    description: There is nothing to show; RV(differences) and RV(notices) say it.
  idempotent:
    support: full
    description: It is a change only when a directory of somebody else is adopted.
seealso:
  - module: mooring.stack.compose_project
author:
  - The mooring.stack authors (@mooring)
"""

EXAMPLES = r"""
- name: Look before MySQL is started on a volume that was made by hand
  mooring.stack.data_directory:
    engine: mysql
    volume: taken_mysql-data
    external: true
    project: mooring-data_stores
    image: mysql:8.4.11
    record: /opt/mooring/data_stores/.mysql-data.json
"""

RETURN = r"""
changes:
  description: What is done, one sentence each.
  returned: success
  type: list
  elements: str
  sample: ["The run adopts the data directory in volume taken_mysql-data, version 8.4.11, made by somebody else."]
differences:
  description: Object, field, expected and found of everything that is not as declared and that a run heals.
  returned: success
  type: list
  elements: dict
  sample:
    - {object: record of the data directory in volume taken_mysql-data, field: presence, expected: present, found: null}
notices:
  description: What a person should look at and a run does not heal, one sentence each.
  returned: success
  type: list
  elements: str
version:
  description: Version of the data; empty where there is none or nobody can tell it.
  type: str
  returned: success
  sample: 8.4.11
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.mooring.stack.plugins.module_utils._errors import domain_errors
from ansible_collections.mooring.stack.plugins.module_utils._step_data_directory import ARGUMENT_SPEC, converge


def main() -> None:
    """Parse, converge, report."""
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    with domain_errors(module):
        module.exit_json(**converge(module, module.params))


if __name__ == "__main__":
    main()
