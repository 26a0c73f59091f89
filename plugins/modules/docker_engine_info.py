#!/usr/bin/python
# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: docker_engine_info
short_description: What a host has of Docker, and what it still needs
version_added: "0.1.0"
description:
  - Reads the distribution, the installed packages, the engine that answers and the Compose plugin in one call.
  - Says which packages and apt files are missing. It changes nothing; the role C(docker_engine) acts on it.
  - An engine that was not installed by that role is adopted, and nothing of it is on the list.
attributes:
  check_mode:
    support: full
    description: The module only reads.
  diff_mode:
    support: none
    description: The module only reads.
  idempotent:
    support: full
    description: The module only reads.
options:
  source:
    description: Where packages of an engine that is not there yet would come from.
    type: str
    choices: [distro, upstream]
    required: true
  repository:
    description: Base URL of the upstream repository, without the distribution. Used with O(source=upstream).
    type: str
    default: ""
  compose_minimum:
    description: Oldest Compose that is good enough.
    type: str
    required: true
  stop:
    description:
      - Whether a call of M(mooring.stack.component) ends after this step where something is missing, without a
        failure, so that it can be installed before the other steps run. In check mode they run all the same.
    type: bool
    default: false
    version_added: "0.2.0"
author:
  - The mooring.stack authors (@mooring)
"""

EXAMPLES = r"""
- name: Look at what the host has of Docker
  mooring.stack.docker_engine_info:
    source: distro
    compose_minimum: "2.20"
  register: engine
"""

RETURN = r"""
differences:
  description: Object, field, expected and found of what the host lacks. It only looks, so it is not changed.
  returned: success
  type: list
  elements: dict
  sample: [{object: package python3-pymysql, field: presence, expected: present, found: null}]
notices:
  description: What a person should look at and a run does not heal, one sentence each.
  returned: success
  type: list
  elements: str
adopted:
  description: Whether the host has an engine that this collection did not install.
  type: bool
  returned: success
engine:
  description: Version of the engine that answers, or empty.
  type: str
  returned: success
compose:
  description: Version of the Compose plugin, or empty.
  type: str
  returned: success
stop:
  description: Whether a call of M(mooring.stack.component) ended here; see O(stop).
  type: bool
  returned: success
complete:
  description: Whether nothing has to be installed or written.
  type: bool
  returned: success
packages:
  description: Packages to install, as apt takes them.
  type: list
  elements: str
  returned: success
files:
  description: Files to write; a mapping of path to content.
  type: dict
  returned: success
key_url:
  description: Address of the key that signs the upstream repository, or empty.
  type: str
  returned: success
key_path:
  description: Where that key belongs.
  type: str
  returned: success
marker:
  description: Text of the marker file, which lists all that the role brought to the host, after these steps.
  type: str
  returned: success
marker_path:
  description: Path of the marker file.
  type: str
  returned: success
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.mooring.stack.plugins.module_utils._errors import domain_errors
from ansible_collections.mooring.stack.plugins.module_utils._step_docker_engine_info import ARGUMENT_SPEC, converge


def main() -> None:
    """Parse, converge, report."""
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    with domain_errors(module):
        module.exit_json(**converge(module, module.params))


if __name__ == "__main__":
    main()
