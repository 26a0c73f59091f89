#!/usr/bin/python
# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: docker_network
short_description: One bridge network of the Docker engine
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

- name: Remove the platform network
  mooring.stack.docker_network:
    name: mooring
    state: absent
"""

RETURN = r"""
subnet:
  description: Subnet of the network; empty where it does not exist or check mode cannot know it.
  type: str
  returned: success
differences:
  description: Why an existing network was replaced, in words.
  type: list
  elements: str
  returned: success
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.mooring.stack.plugins.module_utils._docker import Docker
from ansible_collections.mooring.stack.plugins.module_utils._docker_network import Network, Plan, canonical, decide
from ansible_collections.mooring.stack.plugins.module_utils._errors import MooringError, domain_errors

ARGUMENT_SPEC: dict[str, t.Any] = {
    "name": {"type": "str", "required": True},
    "subnet": {"type": "str", "default": ""},
    "labels": {"type": "dict", "default": {}},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
}


def read(docker: Docker, name: str) -> Network | None:
    # inspect also takes the beginning of an ID, so the name is compared
    found = [entry for entry in docker.inspect("network", [name]) if entry["Name"] == name]
    return Network.from_inspect(found[0]) if found else None


def apply(docker: Docker, plan: Plan, desired: Network) -> None:
    if plan.remove:
        docker.run("network", "rm", desired.name)
    if plan.create:
        subnet = ["--subnet", desired.subnet] if desired.subnet else []
        labels = [arg for key, value in sorted(desired.labels.items()) for arg in ("--label", f"{key}={value}")]
        docker.run("network", "create", "--driver", desired.driver, *subnet, *labels, desired.name)


def main() -> None:
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    wish = module.params
    docker = Docker(module.run_command)
    with domain_errors(module):
        desired = Network(wish["name"], canonical(wish["subnet"]),
                          {key: str(value) for key, value in wish["labels"].items()})
        current = None
        if docker.answers():
            current = read(docker, desired.name)
        elif not module.check_mode:
            raise MooringError("No Docker engine answers on this host. Run the docker_engine role first.")
        plan = decide(current, desired, present=wish["state"] == "present")
        after = desired if wish["state"] == "present" else None
        if plan.changes_anything and not module.check_mode:
            apply(docker, plan, desired)
            after = read(docker, desired.name)
        elif not plan.changes_anything:
            after = current
    module.exit_json(
        changed=plan.changes_anything,
        subnet=after.subnet if after else "",
        differences=list(plan.differences),
        diff={"before_header": f"network {desired.name}", "after_header": f"network {desired.name}",
              "before": current.described() if current else {}, "after": after.described() if after else {}},
    )


if __name__ == "__main__":
    main()
