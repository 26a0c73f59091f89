#!/usr/bin/python
# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: docker_swarm_invitation
short_description: Let a host join the swarm that this host manages
version_added: "0.2.0"
description:
  - Forgets what the swarm remembers of an earlier life of the host, which would count as a manager that is down, and
    returns the join token of managers.
  - Who has the token becomes a manager, so the task needs C(no_log). A host that cannot tell is no failure, because
    C(no_log) would hide why; RV(reason) says it.
options:
  address:
    description: Address of the host that wants to join.
    type: str
    required: true
attributes:
  check_mode:
    support: full
    description: Forgets nothing.
  diff_mode:
    support: none
    description: What is forgotten is in RV(forgotten) instead.
  idempotent:
    support: full
    description: What was forgotten is not remembered any more.
author:
  - The mooring.stack authors (@mooring)
"""

EXAMPLES = r"""
- name: Ask a member of the swarm for what lets this host join
  mooring.stack.docker_swarm_invitation:
    address: 192.0.2.12
  delegate_to: data-1
  register: invitation
  no_log: true
"""

RETURN = r"""
token:
  description: The join token of managers; empty where this host cannot tell.
  returned: success
  type: str
forgotten:
  description: Ids of nodes that had the address and were down.
  returned: success
  type: list
  elements: str
reason:
  description: Why there is no token; empty where there is one.
  returned: success
  type: str
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.mooring.stack.plugins.module_utils._docker import Docker
from ansible_collections.mooring.stack.plugins.module_utils._docker_swarm import Swarm, left_behind
from ansible_collections.mooring.stack.plugins.module_utils._errors import MooringError
from ansible_collections.mooring.stack.plugins.module_utils._step_docker_swarm import read

ARGUMENT_SPEC: dict[str, t.Any] = {"address": {"type": "str", "required": True}}


def invite(docker: Docker, address: str, forget: bool) -> dict[str, t.Any]:
    """Token and what was forgotten. Raises :class:`MooringError` where this host cannot let anybody in."""
    now: Swarm = read(docker)
    if now.state != "active" or not now.manager:
        raise MooringError("It manages no swarm. Run the play docker_engine for all hosts, without --limit.")
    gone = left_behind(now, address)
    for member in gone if forget else ():
        docker.run("node", "demote", member.id)
        docker.run("node", "rm", "--force", member.id)
    status, document = docker.get("/swarm")
    if status != 200:
        raise MooringError(str((document or {}).get("message") or f"Its engine answers {status}."))
    return {"token": document["JoinTokens"]["Manager"], "forgotten": [member.id for member in gone]}


def main() -> None:
    """Parse, forget, report."""
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    docker = Docker(module.run_command)
    result: dict[str, t.Any] = {"token": "", "forgotten": [], "reason": ""}
    try:
        result.update(invite(docker, module.params["address"], forget=not module.check_mode))
    except MooringError as error:
        result["reason"] = str(error)
    module.exit_json(changed=bool(result["forgotten"]), **result)


if __name__ == "__main__":
    main()
