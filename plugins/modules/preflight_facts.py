#!/usr/bin/python
# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: preflight_facts
short_description: Read what decides whether a host can run the platform
version_added: "0.1.0"
description:
  - Reads the operating system, memory, free disk space, listening sockets with their owners, the clock, whether
    Docker answers, and which version of this collection worked there last.
  - Needs nothing but Python, so it works on a bare host. P(mooring.stack.preflight#module) judges what it returns.
options: {}
attributes:
  check_mode:
    description: Runs the same in check mode.
    support: full
  diff_mode:
    description: Has no diff, because it changes nothing.
    support: none
  idempotent:
    description: Changes nothing.
    support: full
author:
  - The mooring.stack authors (@mooring)
"""

EXAMPLES = r"""
- name: Read the facts that decide whether the platform fits
  mooring.stack.preflight_facts:
  register: facts
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
host:
  description: What the host says about itself.
  returned: success
  type: dict
  contains:
    os:
      description: Identifier and version of the distribution.
      type: dict
      sample: {id: debian, version: "13"}
    architecture:
      description: The machine's architecture.
      type: str
      sample: x86_64
    memory:
      description: Memory in bytes.
      type: int
      sample: 8589934592
    mounts:
      description: Free bytes per mount point.
      type: dict
      sample: {/: 107374182400}
    time:
      description: Seconds since the epoch.
      type: float
    listening:
      description: Listening TCP sockets. Owners are only known to root.
      type: list
      elements: dict
      sample: [{address: 127.0.0.1, port: 8080, process: nginx}]
    published:
      description: Ports that running containers publish.
      type: list
      elements: dict
      sample: [{project: mooring-nginx_certbot, container: proxy, address: 0.0.0.0, port: 443}]
    prefixes:
      description: Prefixes of the platforms of which there are containers, running or not.
      type: list
      elements: str
      sample: [mooring]
    platforms:
      description: >-
        What M(mooring.stack.collection_version) has recorded, by prefix of the platform, as it stands in the file.
      type: dict
      sample: {mooring: '{"format": 1, "version": "0.2.0"}'}
    docker:
      description: Whether a Docker command is installed, an engine answers, and where it keeps its data.
      type: dict
      sample: {installed: true, answers: true, root: /var/lib/docker}
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.mooring.stack.plugins.module_utils._errors import domain_errors
from ansible_collections.mooring.stack.plugins.module_utils._step_preflight_facts import ARGUMENT_SPEC, converge


def main() -> None:
    """Parse, converge, report."""
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    with domain_errors(module):
        module.exit_json(**converge(module, module.params))


if __name__ == "__main__":
    main()
