#!/usr/bin/python
# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: release_history
short_description: Say what was deployed of an application, when, by whom, and what became of it
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
extends_documentation_fragment:
  - mooring.stack.application
options:
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
    name: shop
"""

RETURN = r"""
status:
  description: The deployments on record.
  returned: success
  type: dict
  contains:
    application:
      description: Name of the application.
      type: str
    history:
      description: The deployments, the newest last. What an older version did not record is V(null).
      type: list
      elements: dict
      sample:
        - {release: 1.4.2, colour: green, result: undone, why: green did not become ready within 60 s, by: alice,
           machine: laptop, address: 192.0.2.7, started: "2026-11-25T10:00:00Z", ended: "2026-11-25T10:01:08Z",
           seconds: 68.2, image: "registry.example.com/shop:1.4.2", image_id: null, digest: null, definition: null}
text:
  description: The same as lines of a table.
  returned: success
  type: list
  elements: str
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.mooring.stack.plugins.module_utils import _release_history
from ansible_collections.mooring.stack.plugins.module_utils._errors import domain_errors
from ansible_collections.mooring.stack.plugins.module_utils._release_host import COMMON_ARGUMENTS, Store

ARGUMENT_SPEC: dict[str, t.Any] = {
    **COMMON_ARGUMENTS,
    "format": {"type": "str", "choices": ["table", "json"], "default": "table"},
}


def main() -> None:
    """Read, report."""
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    with domain_errors(module):
        name = module.params["name"]
        history = Store(module.params["root"], name).record().history
        module.exit_json(
            changed=False, text=_release_history.table(history),
            status={"application": name, "history": [_release_history.readable(entry) for entry in history]})


if __name__ == "__main__":
    main()
