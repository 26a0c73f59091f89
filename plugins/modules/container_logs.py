#!/usr/bin/python
# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: container_logs
short_description: Links to the log files of containers, by the containers' names
version_added: "0.2.0"
description:
  - Keeps a directory in which V(<container>.log) leads to what the container has written, and V(<container>.log.1) to
    the file before it, so that a log shipper needs neither the engine's socket nor root. It needs the group root
    (gid 0) and the directory O(below) mounted where it is on the host.
  - Such a shipper can read these logs, and neither list the others nor read a container's definition.
  - Links of containers that are gone are removed. A container that is made anew, by a deployment for instance, has
    its link from the next run on; its lines are then read from the first one on.
attributes:
  check_mode:
    support: full
    description: Predicts the same result for the containers that there are.
  diff_mode:
    support: none
    description: RV(differences) has every link.
  idempotent:
    support: full
    description: Links that lead where they should are left alone.
options:
  path:
    description: Directory of the links. A file in it that has the name of a link is an error.
    type: path
    required: true
  prefix:
    description: Only containers of Compose projects whose name begins with this and a dash.
    type: str
    required: true
  labels:
    description: Containers that have one of these labels, each a name or V(name=value). Without any, no link is kept.
    type: list
    elements: str
    required: true
  below:
    description: Where the engine keeps its containers' logs. One that lies elsewhere is an error.
    type: path
    default: /var/lib/docker/containers
author:
  - The mooring.stack authors (@mooring)
"""

EXAMPLES = r"""
- name: Let a log shipper read what the proxy and the applications write
  mooring.stack.container_logs:
    path: /opt/mooring/elk/containers
    prefix: mooring
    labels: [com.docker.compose.project=mooring-nginx_certbot, mooring.application]
"""

RETURN = r"""
differences:
  description: Object, field, expected and found of everything that is not as declared and that a run heals.
  returned: success
  type: list
  elements: dict
  sample: [{object: link /opt/mooring/elk/containers/mooring-shop-blue-app-1.log, field: presence, expected: present,
            found: null}]
notices:
  description: What a person should look at and a run does not heal, one sentence each.
  returned: success
  type: list
  elements: str
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.mooring.stack.plugins.module_utils._errors import domain_errors
from ansible_collections.mooring.stack.plugins.module_utils._step_container_logs import ARGUMENT_SPEC, converge


def main() -> None:
    """Parse, converge, report."""
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    with domain_errors(module):
        module.exit_json(**converge(module, module.params))


if __name__ == "__main__":
    main()
