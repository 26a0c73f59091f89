#!/usr/bin/python
# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: kafka_record
short_description: Prove that a record passes through a Kafka broker
version_added: "0.2.0"
description:
  - Produces a record to a topic that is there for nothing else, waits until it is acknowledged, and reads it back.
  - Changes nothing that anybody declares.
options:
  topic:
    description: The topic; it has to exist.
    type: str
    required: true
attributes:
  check_mode:
    support: full
    description: Can run in check mode, does nothing then.
  diff_mode:
    support: none
    description: Has no diff, because it changes nothing.
  idempotent:
    support: full
    description: Never changes anything.
extends_documentation_fragment:
  - mooring.stack.kafka
author:
  - The mooring.stack authors (@mooring)
"""

EXAMPLES = r"""
- name: Prove that a record passes through the broker
  mooring.stack.kafka_record:
    container: mooring-kafka-broker-1
    topic: mooring.record
"""

RETURN = r"""
differences:
  description: Object, field, expected and found of everything that is not as declared; always empty.
  returned: success
  type: list
  elements: dict
  sample: []
notices:
  description: What a person should look at, one sentence each.
  returned: success
  type: list
  elements: str
record:
  description: Partition and offset of the record; empty in check mode.
  returned: success
  type: str
  sample: 0@17
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.mooring.stack.plugins.module_utils._errors import domain_errors
from ansible_collections.mooring.stack.plugins.module_utils._step_kafka_record import ARGUMENT_SPEC, converge


def main() -> None:
    """Parse, converge, report."""
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    with domain_errors(module):
        module.exit_json(**converge(module, module.params))


if __name__ == "__main__":
    main()
