#!/usr/bin/python
# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: kafka_users
short_description: Make the users of a Kafka broker and what they may do as declared
version_added: "0.2.0"
description:
  - Gives users their password (SCRAM-SHA-512) and exactly the declared rights, in one call.
  - Each declared user logs in with its password at a listener that asks for one, in each run. That tells whether the
    password is the declared one, which a broker does not say.
  - Users and rights that nobody declares are named in the notices and left alone.
options:
  login_address:
    description: A listener in the container's network that asks for a login.
    type: str
    required: true
  login_protocol:
    description: The protocol of that listener.
    type: str
    choices: [SASL_PLAINTEXT, SASL_SSL]
    default: SASL_SSL
  users:
    description: The users.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: Name of the user.
        type: str
        required: true
      password:
        description: Its password; required unless O(users[].state=absent).
        type: str
      acls:
        description: What it may do. All else is refused.
        type: list
        elements: dict
        default: []
        suboptions:
          resource:
            description: >-
              V(topic:orders), V(group:shop), V(transactional_id:shop) or V(cluster). With C(*) at the end of a name,
              everything that begins with it.
            type: str
            required: true
          operations:
            description: Kafka's operations in small letters, such as V(read), V(write), V(describe_configs).
            type: list
            elements: str
            required: true
      state:
        description: With V(absent) its password and its rights are removed.
        type: str
        choices: [present, absent]
        default: present
attributes:
  check_mode:
    support: full
    description: Can run in check mode; logins are tried, nothing is changed.
  diff_mode:
    support: none
    description: Has no diff of its own; C(differences) says the same in data.
  idempotent:
    support: full
    description: A second run changes nothing.
extends_documentation_fragment:
  - mooring.stack.kafka
  - mooring.stack.kafka.made
author:
  - The mooring.stack authors (@mooring)
"""

EXAMPLES = r"""
- name: Converge the users
  mooring.stack.kafka_users:
    container: mooring-kafka-broker-1
    login_address: localhost:9094
    users:
      - name: shop
        password: "{{ vault_kafka_shop_password }}"
        acls:
          - {resource: "topic:orders*", operations: [read, write]}
          - {resource: "group:shop", operations: [read]}
"""

RETURN = r"""
differences:
  description: Object, field, expected and found of everything that is not as declared.
  returned: success
  type: list
  elements: dict
  sample: [{object: user shop, field: allow read on topic orders*, expected: declared, found: null}]
notices:
  description: What a person should look at, one sentence each.
  returned: success
  type: list
  elements: str
  sample: ["kafka: nobody declares User:old, and it has a password or rights."]
proven:
  description: Users that could log in with their declared password; empty in check mode.
  returned: success
  type: list
  elements: str
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.mooring.stack.plugins.module_utils._errors import domain_errors
from ansible_collections.mooring.stack.plugins.module_utils._step_kafka_users import ARGUMENT_SPEC, converge


def main() -> None:
    """Parse, converge, report."""
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    with domain_errors(module):
        module.exit_json(**converge(module, module.params))


if __name__ == "__main__":
    main()
