#!/usr/bin/python
# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: engine_socket
short_description: Find the group that may use the socket of the Docker engine
version_added: "0.2.0"
author:
  - The mooring.stack authors (@mooring)
description:
  - A container that is to ask the engine without running as root has to run with the group of the engine's socket,
    and that group has another number on each host. This module finds it.
  - Later steps of a call of M(mooring.stack.component) may name it C(__engine_socket.gid__), also where that stands in
    a compose file.
options:
  path:
    description: Where the engine listens.
    type: path
    default: /var/run/docker.sock
attributes:
  check_mode:
    description: >-
      Can run in check mode and return the same as in a real run. Where there is no socket, because the engine is yet
      to be installed, a real run fails and check mode leaves RV(gid) empty.
    support: full
  diff_mode:
    description: Will return details on what has changed or is to change.
    support: N/A
    details: The module changes nothing.
  idempotent:
    description: Running it twice changes nothing more than running it once.
    support: full
"""

EXAMPLES = r"""
- name: Find out who may ask the engine
  mooring.stack.engine_socket:
  register: socket

- name: Run a project whose compose file says who may ask the engine
  mooring.stack.component:
    steps:
      - engine_socket: {}
      # Its compose.yml has user: "101:__engine_socket.gid__", and mounts /var/run/docker.sock.
      - compose_project:
          name: monitoring
"""

RETURN = r"""
differences:
  description: Empty; this module heals nothing.
  returned: success
  type: list
  elements: dict
notices:
  description: What a person should look at and a run does not heal, one sentence each.
  returned: success
  type: list
  elements: str
gid:
  description: Number of the group that may use the socket; V(null) in check mode where there is none.
  returned: success
  type: int
  sample: 998
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.mooring.stack.plugins.module_utils._errors import domain_errors
from ansible_collections.mooring.stack.plugins.module_utils._step_engine_socket import ARGUMENT_SPEC, converge


def main() -> None:
    """Parse, converge, report."""
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    with domain_errors(module):
        module.exit_json(**converge(module, module.params))


if __name__ == "__main__":
    main()
