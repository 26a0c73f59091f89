#!/usr/bin/python
# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: kafka_topics
short_description: Make the topics of a Kafka broker as declared
version_added: "0.2.0"
description:
  - Creates, enlarges, configures and deletes topics in one call, however many there are.
  - Asks the broker first whether it would take every change, and changes nothing if it refuses one. Partitions are
    never taken away, because their records would go.
  - What is set for a declared topic and not declared is taken back to the broker's default.
  - Topics that nobody declares are named in the notices and left alone.
options:
  topics:
    description: The topics.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: Name of the topic.
        type: str
        required: true
      partitions:
        description: How many partitions it has; may grow and not shrink.
        type: int
        default: 1
      replication:
        description: How many brokers have each record.
        type: int
        default: 1
      config:
        description: Settings of this topic by Kafka's names, such as C(retention.ms). The rest is the broker's own.
        type: dict
        default: {}
      state:
        description: With V(absent) the topic is deleted, and its records with it.
        type: str
        choices: [present, absent]
        default: present
attributes:
  check_mode:
    support: full
    description: Can run in check mode; the broker itself is asked whether it would take the changes.
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
- name: Converge the topics
  mooring.stack.kafka_topics:
    container: mooring-kafka-broker-1
    topics:
      - name: orders
        partitions: 6
        config: {retention.ms: 604800000, cleanup.policy: [compact, delete]}
      - {name: orders-old, state: absent}
"""

RETURN = r"""
differences:
  description: Object, field, expected and found of everything that is not as declared.
  returned: success
  type: list
  elements: dict
  sample: [{object: topic orders, field: partitions, expected: 6, found: 3}]
notices:
  description: What a person should look at, one sentence each.
  returned: success
  type: list
  elements: str
  sample: ["kafka: nobody declares the topic orders-test."]
changes:
  description: What was done, or in check mode would be, one line each.
  returned: success
  type: list
  elements: str
  sample: [bring topic orders to 6 partitions]
unknown:
  description: Topics that nobody declares.
  returned: success
  type: list
  elements: str
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.mooring.stack.plugins.module_utils._errors import domain_errors
from ansible_collections.mooring.stack.plugins.module_utils._step_kafka_topics import ARGUMENT_SPEC, converge


def main() -> None:
    """Parse, converge, report."""
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    with domain_errors(module):
        module.exit_json(**converge(module, module.params))


if __name__ == "__main__":
    main()
