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
  - Reads the operating system, memory, disk space, addresses, listening sockets with their owners, the clock, what the
    kernel has of what containers need, which Docker there is, and which version of this collection worked there last.
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
      description: Identifier, version and code name of the distribution.
      type: dict
      sample: {id: debian, version: "13", codename: trixie}
    architecture:
      description: The machine's architecture.
      type: str
      sample: x86_64
    memory:
      description: Memory in bytes; of a host that is a container what it was given.
      type: int
      sample: 8589934592
    mounts:
      description: Free bytes per mount point.
      type: dict
      sample: {/: 107374182400}
    sizes:
      description: Bytes per mount point in all.
      type: dict
      sample: {/: 214748364800}
    addresses:
      description: The host's own addresses. Empty where the kernel does not tell.
      type: list
      elements: str
      sample: [127.0.0.1, 192.0.2.10]
    kernel:
      description:
        - Whether it has the memory controller and the overlay file system, and whether its modules are on the disk;
          null where it does not tell.
        - The value of vm.max_map_count, whether it can be set here, and whether ports may be bound at addresses that
          the host has not.
      type: dict
      sample:
        release: 6.12.1
        memory_controller: true
        overlay: true
        modules: true
        max_map_count: 65530
        max_map_count_writable: true
        nonlocal_bind: false
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
      description:
        - Whether a Docker command is installed, a daemon is, an engine answers, where it keeps its data, its version
          and that of Compose.
        - Which packages of Docker are installed, whether it is the snap, the command that only wraps Podman, and what
          the role docker_engine noted.
      type: dict
      sample:
        installed: true
        daemon: true
        answers: true
        root: /var/lib/docker
        version: 26.1.5
        compose: 2.26.1
        packages: [containerd, docker-compose, docker.io, runc]
        snap: false
        podman: ""
        marker: {engine: installed, source: distro}
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
