#!/usr/bin/python
# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: docker_swarm
short_description: A host's membership in the swarm that joins the platform's hosts
version_added: "0.2.0"
description:
  - Makes a swarm, or joins one, so that the hosts of a platform share an overlay network. Nothing else of it is used.
  - Every host is a manager. Compose looks for a network before it makes a container, and a worker does not know a
    network that none of its containers uses yet. More than half of the hosts have to run for a container to start.
  - With fewer than two O(hosts) it does nothing.
options:
  hosts:
    description: Address of each host of the platform by its name. The others reach it there, at 2377/tcp, 7946/tcp,
      7946/udp and 4789/udp; the first two listen at this address only.
    type: dict
    default: {}
  host:
    description: Name of this host among O(hosts).
    type: str
    required: true
  pool:
    description: Where overlay networks get their subnets from, in CIDR notation.
    type: str
    default: 172.30.0.0/16
  labels:
    description: Labels of a swarm that this host makes.
    type: dict
    default: {}
  found:
    description: Whether this host makes a swarm if it is in none.
    type: bool
    default: false
  join:
    description: Address of a member that this host joins if it is in no swarm.
    type: str
    default: ""
  token:
    description: What M(mooring.stack.docker_swarm_invitation) found on that member.
    type: str
    default: ""
  stop:
    description: As a step of M(mooring.stack.component), whether the steps after it wait until this host is a member.
    type: bool
    default: false
attributes:
  check_mode:
    support: full
    description: Predicts the same result. A host without an engine is in no swarm.
  diff_mode:
    support: none
    description: A membership is in RV(differences) instead.
  idempotent:
    support: full
    description: A member stays as it is.
author:
  - The mooring.stack authors (@mooring)
"""

EXAMPLES = r"""
- name: Make a swarm of two hosts on the first of them
  mooring.stack.docker_swarm:
    hosts: {data-1: 192.0.2.11, app-1: 192.0.2.12}
    host: data-1
    found: true
"""

RETURN = r"""
differences:
  description: Object, field, expected and found of everything that is not as declared and that a run heals.
  returned: success
  type: list
  elements: dict
  sample: [{object: swarm, field: membership, expected: manager, found: none}]
notices:
  description: What a person should look at and a run does not heal, one sentence each, such as a host that is gone.
  returned: success
  type: list
  elements: str
member:
  description: Whether this host was a member already.
  returned: success
  type: bool
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.mooring.stack.plugins.module_utils._errors import domain_errors
from ansible_collections.mooring.stack.plugins.module_utils._step_docker_swarm import ARGUMENT_SPEC, converge


def main() -> None:
    """Parse, converge, report."""
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    with domain_errors(module):
        module.exit_json(**converge(module, module.params))


if __name__ == "__main__":
    main()
