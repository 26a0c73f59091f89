#!/usr/bin/python
# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: host_limits
short_description: Limits of the host's kernel that a component needs, and room on its disk
version_added: "0.2.0"
description:
  - Raises parameters of the kernel that are below what is needed, now and, by a file, after each restart of the host.
    None is ever lowered.
  - Fails where less disk space is free than is needed below the directory of the Docker engine, before anything is
    changed. Where O(container) runs already that is a notice, unless the whole disk is smaller.
  - Where a parameter cannot be set (in a container, the file system of the parameters is read-only), it fails and
    says which command to run on the machine itself.
attributes:
  check_mode:
    support: full
    description: Predicts the same result, and fails in the same way for a disk that is too small.
  diff_mode:
    support: none
    description: RV(differences) has every field.
  idempotent:
    support: full
    description: What is high enough is left alone.
options:
  kernel:
    description: Least values of parameters, by their names.
    type: dict
    default: {}
  file:
    description: >-
      File in C(/etc/sysctl.d) that is written where a parameter was too low. It is not removed when the component is.
    type: path
    required: true
  disk_free:
    description: Bytes that have to be free; 0 for any.
    type: int
    default: 0
  purpose:
    description: What needs it, as the subject of a sentence.
    type: str
    required: true
  container:
    description: Container of what needs it.
    type: str
    default: ""
  setting:
    description: By which variable a user asks for less disk space.
    type: str
    default: ""
author:
  - The mooring.stack authors (@mooring)
"""

EXAMPLES = r"""
- name: Let Elasticsearch map its indices
  mooring.stack.host_limits:
    kernel: {vm.max_map_count: 262144}
    file: /etc/sysctl.d/60-mooring-elk.conf
    disk_free: 10737418240
    purpose: Elasticsearch
"""

RETURN = r"""
differences:
  description: Object, field, expected and found of everything that is too low.
  returned: success
  type: list
  elements: dict
  sample: [{object: kernel parameter vm.max_map_count, field: value, expected: 262144, found: 65530}]
notices:
  description: That less disk space is free than is needed, where it runs already.
  returned: success
  type: list
  elements: str
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.mooring.stack.plugins.module_utils._errors import domain_errors
from ansible_collections.mooring.stack.plugins.module_utils._step_host_limits import ARGUMENT_SPEC, converge


def main() -> None:
    """Parse, converge, report."""
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    with domain_errors(module):
        module.exit_json(**converge(module, module.params))


if __name__ == "__main__":
    main()
