#!/usr/bin/python
# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: registry_logins
short_description: Log a host in to container registries
version_added: "0.2.0"
description:
  - Lets C(docker login) store what the user that Ansible becomes needs to pull images. The password goes to its
    standard input. The registry is asked each time something is stored, and only then.
  - Logs out of registries that an earlier call logged in to and that are not declared any more. Other logins stay.
options:
  registries:
    description: The registries, with a user that may pull.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: Name of the registry as images have it, with the port if it has one; C(docker.io) is Docker Hub.
        type: str
        required: true
      username:
        description: Who logs in.
        type: str
        required: true
      password:
        description: Password or access token.
        type: str
        required: true
attributes:
  check_mode:
    support: full
    description: Predicts the same result, and asks no registry.
  diff_mode:
    support: none
    description: Who logs in is in RV(differences) instead.
  idempotent:
    support: full
    description: >-
      A login with the declared user and password is left alone. Where a credential store keeps the password, it cannot
      be compared, and any login counts.
author:
  - The mooring.stack authors (@mooring)
"""

EXAMPLES = r"""
- name: Let the host pull our own images
  mooring.stack.registry_logins:
    registries:
      - name: registry.example.com
        username: platform
        password: "{{ vault_registry_password }}"
"""

RETURN = r"""
differences:
  description: Object, field, expected and found of everything that is not as declared and that a run heals.
  returned: success
  type: list
  elements: dict
  sample: [{object: registry registry.example.com, field: login, expected: platform, found: null}]
notices:
  description: What a person should look at and a run does not heal, one sentence each.
  returned: success
  type: list
  elements: str
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.mooring.stack.plugins.module_utils._errors import domain_errors
from ansible_collections.mooring.stack.plugins.module_utils._step_registry_logins import ARGUMENT_SPEC, converge


def main() -> None:
    """Parse, converge, report."""
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    with domain_errors(module):
        module.exit_json(**converge(module, module.params))


if __name__ == "__main__":
    main()
