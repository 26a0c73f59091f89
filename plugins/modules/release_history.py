#!/usr/bin/python
# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: release_history
short_description: Say what was deployed of some applications, when, by whom, and what became of it
version_added: "0.2.0"
author:
  - The mooring.stack authors (@mooring)
description:
  - Prints the deployments on record, those that were undone too. Changes nothing.
attributes:
  check_mode:
    description: Can run in check mode and return the same as in a real run.
    support: full
  diff_mode:
    description: Will return details on what has changed or is to change.
    support: N/A
    details: The module changes nothing.
  idempotent:
    description: Running it twice changes nothing more than running it once.
    support: full
options:
  applications:
    description: Names of the applications.
    type: list
    elements: str
    required: true
  root:
    description: Directory of the platform on the host.
    type: path
    default: /opt/mooring
  format:
    description:
      - V(table) prints text.
      - V(json) prints one JSON document. With P(mooring.stack.progress#callback) it is all that standard output gets,
        for all hosts together.
    type: str
    choices: [table, json]
    default: table
"""

EXAMPLES = r"""
- name: Say what was deployed
  mooring.stack.release_history:
    applications: [shop]
"""

RETURN = r"""
status:
  description: The deployments on record.
  returned: success
  type: dict
  contains:
    applications:
      description: >-
        The deployments of each application, the newest last. What an older version did not record is V(null).
      type: dict
      sample:
        shop:
          - {release: 1.4.2, colour: green, result: undone, why: green did not become ready within 60 s, by: alice,
             machine: laptop, address: 192.0.2.7, started: "2026-11-25T10:00:00Z", ended: "2026-11-25T10:01:08Z",
             seconds: 68.2, image: "registry.example.com/shop:1.4.2", image_id: null, digest: null, definition: null}
text:
  description: The same as lines of a table for each application.
  returned: success
  type: dict
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.mooring.stack.plugins.module_utils import _release_history
from ansible_collections.mooring.stack.plugins.module_utils._errors import domain_errors
from ansible_collections.mooring.stack.plugins.module_utils._release_host import COMMON_ARGUMENTS, Store

ARGUMENT_SPEC: dict[str, t.Any] = {
    "applications": {"type": "list", "elements": "str", "required": True},
    "root": COMMON_ARGUMENTS["root"],
    "format": {"type": "str", "choices": ["table", "json"], "default": "table"},
}


def main() -> None:
    """Read, report."""
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    with domain_errors(module):
        histories = {name: Store(module.params["root"], name).record().history
                     for name in module.params["applications"]}
        module.exit_json(
            changed=False, text={name: _release_history.table(entries) for name, entries in histories.items()},
            status={"applications": {name: [_release_history.readable(entry) for entry in entries]
                                     for name, entries in histories.items()}})


if __name__ == "__main__":
    main()
