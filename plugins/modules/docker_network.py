#!/usr/bin/python
# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: docker_network
short_description: One network of the Docker engine
version_added: "0.1.0"
description:
  - Creates, replaces or removes the network that the projects of a platform share.
  - Docker cannot change a network. One that differs is replaced when no container uses it; otherwise the module
    fails, names the containers and says what to do.
attributes:
  check_mode:
    support: full
    description: Predicts the same result. Where no engine answers yet, the network counts as absent.
  diff_mode:
    support: full
    description: Shows driver, subnet and labels before and after.
  idempotent:
    support: full
    description: A network that is as declared is left alone.
options:
  name:
    description: Name of the network.
    type: str
    required: true
  subnet:
    description: IPv4 subnet in CIDR notation. Empty lets the engine choose and accepts what it chose.
    type: str
    default: ""
  driver:
    description:
      - V(bridge) joins the containers of this host.
      - V(overlay) joins those of all hosts of a swarm, which M(mooring.stack.docker_swarm) makes. It is attachable.
    type: str
    choices: [bridge, overlay]
    default: bridge
    version_added: "0.2.0"
  encrypted:
    description: Whether an overlay encrypts what goes between hosts (IPsec). The kernel has to be able to.
    type: bool
    default: true
    version_added: "0.2.0"
  labels:
    description: Labels that the network must carry. Others are left alone.
    type: dict
    default: {}
  state:
    description: Whether the network exists.
    type: str
    choices: [present, absent]
    default: present
author:
  - The mooring.stack authors (@mooring)
"""

EXAMPLES = r"""
- name: Create the platform network
  mooring.stack.docker_network:
    name: mooring
    subnet: 198.51.100.0/24

- name: Create one that the hosts of a swarm share
  mooring.stack.docker_network:
    name: mooring
    driver: overlay

- name: Remove the platform network
  mooring.stack.docker_network:
    name: mooring
    state: absent
"""

RETURN = r"""
differences:
  description: Object, field, expected and found of everything that is not as declared and that a run heals.
  returned: success
  type: list
  elements: dict
  sample: [{object: network mooring, field: subnet, expected: 192.0.2.0/24, found: 198.51.100.0/24}]
notices:
  description: What a person should look at and a run does not heal, one sentence each.
  returned: success
  type: list
  elements: str
subnet:
  description: Subnet of the network; empty where it does not exist or check mode cannot know it.
  type: str
  returned: success
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.mooring.stack.plugins.module_utils._errors import domain_errors
from ansible_collections.mooring.stack.plugins.module_utils._step_docker_network import ARGUMENT_SPEC, converge


def main() -> None:
    """Parse, converge, report."""
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    with domain_errors(module):
        module.exit_json(**converge(module, module.params))


if __name__ == "__main__":
    main()
