#!/usr/bin/python
# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: shared_directory
short_description: A directory on the host that containers of several projects share
version_added: "0.2.0"
description:
  - Makes a directory, and those above it, or gives an existing one its owner and mode. What is in it is never touched.
  - For what a Compose project cannot keep below its own directory, because another project mounts it too. It is not
    removed when it is no longer declared.
attributes:
  check_mode:
    support: full
    description: Predicts the same result.
  diff_mode:
    support: none
    description: RV(differences) has every field.
  idempotent:
    support: full
    description: A directory that is as declared is left alone.
options:
  path:
    description: Absolute path. A link or a file there is an error.
    type: path
    required: true
  owner:
    description: Numeric uid and gid that it belongs to.
    type: int
    default: 0
  mode:
    description: Its mode, octal.
    type: str
    default: "0755"
author:
  - The mooring.stack authors (@mooring)
"""

EXAMPLES = r"""
- name: Keep the directory that both colours write their log to
  mooring.stack.shared_directory:
    path: /opt/mooring/app_blue_green/shop/log
    owner: 10001
    mode: "0750"
"""

RETURN = r"""
differences:
  description: Object, field, expected and found of everything that is not as declared and that a run heals.
  returned: success
  type: list
  elements: dict
  sample: [{object: directory /opt/mooring/app_blue_green/shop/log, field: mode, expected: "0750", found: "0777"}]
notices:
  description: What a person should look at and a run does not heal, one sentence each.
  returned: success
  type: list
  elements: str
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.mooring.stack.plugins.module_utils._errors import domain_errors
from ansible_collections.mooring.stack.plugins.module_utils._step_shared_directory import ARGUMENT_SPEC, converge


def main() -> None:
    """Parse, converge, report."""
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    with domain_errors(module):
        module.exit_json(**converge(module, module.params))


if __name__ == "__main__":
    main()
