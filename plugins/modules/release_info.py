#!/usr/bin/python
# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: release_info
short_description: Tell which colour of an application serves, and which is to run a release
version_added: "0.1.0"
author:
  - The mooring.stack authors (@mooring)
description:
  - An application runs in one of two colours, C(blue) and C(green). The proxy sends all requests to one of them.
  - This module compares what the proxy serves, what its file says, what the last deployment recorded and what
    the two colours really run.
  - When O(release) is given it also decides which colour is to run that release. It is the serving colour if that
    one was made from exactly the declared release, image and definition, else the other one if it was made so
    (a rollback, or a deployment that was interrupted), else the other one is to be deployed.
  - A change of nothing but configuration is a new release too. It goes to the other colour.
attributes:
  check_mode:
    description: Can run in check mode and return the same as in a real run.
    support: full
  diff_mode:
    description: Will return details on what has changed or is to change.
    support: N/A
    details: The module changes nothing.
  idempotent:
    description: Running it twice changes nothing more than running it once.
    support: full
options:
  name:
    description: Name of the application.
    type: str
    required: true
  root:
    description: Directory of the platform on the host.
    type: path
    default: /opt/mooring
  prefix:
    description: Prefix of the Compose projects.
    type: str
    default: mooring
  network:
    description: Docker network on which the proxy reaches the colours. The default is the value of O(prefix).
    type: str
  proxy:
    description: Directory of the proxy's project. The default is C(nginx_certbot) below O(root).
    type: path
  release:
    description: The declared release. Without it nothing is decided.
    type: str
  image:
    description: Full reference of the release's image.
    type: str
  definition:
    description:
      - Everything else that goes into a colour and may be read by anybody who may ask the engine, in any structure.
      - Do not put the colour itself into it.
    type: dict
    default: {}
  secrets:
    description: The secrets that go into a colour. Only a salted, slow digest of them leaves the module.
    type: dict
    default: {}
  wait_seconds:
    description: How long to wait first while another run works on the same application.
    type: float
    default: 0
"""

EXAMPLES = r"""
- name: Decide which colour is to run release 1.4.2
  mooring.stack.release_info:
    name: shop
    release: 1.4.2
    image: registry.example.com/shop:1.4.2
    definition: {memory: 512m, env: {LOG_LEVEL: info}}
    secrets: {database_password: "{{ vault_shop_database_password }}"}
  register: shop_plan

- name: Read which release serves
  mooring.stack.release_info:
    name: shop
  register: shop
"""

RETURN = r"""
active:
  description: The colour that serves, V(null) before the first deployment.
  returned: always
  type: str
  sample: blue
release:
  description: The release that the active colour runs.
  returned: always
  type: str
  sample: 1.4.1
proxy:
  description: Whether the proxy answers, the colour in its memory and the colour in its file.
  returned: always
  type: dict
  sample: {answers: true, memory: blue, file: blue}
recorded:
  description: What the last finished deployment recorded.
  returned: always
  type: dict
colours:
  description: Container, status, health, release, image and address of each colour.
  returned: always
  type: dict
history:
  description: The last ten deployments, the newest last.
  returned: always
  type: list
  elements: dict
lock:
  description: Who holds the deployment lock and whether their time is over, V(null) if nobody holds it.
  returned: always
  type: dict
target:
  description: The colour that is to run the release.
  returned: when O(release) is given
  type: str
  sample: green
deploy:
  description: Whether the target has still to be made from the declared definition.
  returned: when O(release) is given
  type: bool
switch:
  description: Whether the proxy or the record says something other than the target.
  returned: when O(release) is given
  type: bool
due:
  description: Whether there is anything to deploy or to switch.
  returned: when O(release) is given
  type: bool
reason:
  description: The decision in one sentence.
  returned: when O(release) is given
  type: str
seal:
  description: The label that seals the declared definition.
  returned: when O(release) is given
  type: str
"""

import dataclasses
import secrets
import time
import typing as t

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.mooring.stack.plugins.module_utils import _release
from ansible_collections.mooring.stack.plugins.module_utils._errors import domain_errors
from ansible_collections.mooring.stack.plugins.module_utils._release_host import (
    PLATFORM_ARGUMENTS,
    Host,
)

ARGUMENT_SPEC: dict[str, t.Any] = {
    **PLATFORM_ARGUMENTS,
    "release": {"type": "str"},
    "image": {"type": "str"},
    "definition": {"type": "dict", "default": {}},
    "secrets": {"type": "dict", "default": {}, "no_log": True},
    "wait_seconds": {"type": "float", "default": 0},
}


def describe(host: Host, situation: _release.Situation) -> dict[str, t.Any]:
    """What the host says, as a module result."""
    claim = host.store.claim()
    active = situation.active
    return {
        "active": active,
        "release": situation.colours[active].release if active else None,
        "proxy": {"answers": situation.proxy_answers, "memory": situation.memory, "file": situation.file},
        "recorded": situation.record,
        "colours": {name: colour.public() for name, colour in situation.colours.items()},
        "history": host.store.record().history[-10:],
        "lock": claim and {"by": claim.by, "release": claim.release, "since": claim.since,
                           "holder": dataclasses.asdict(claim.holder), "expired": claim.is_stale(time.time())},
    }


def plan(host: Host, situation: _release.Situation, params: dict[str, t.Any]) -> dict[str, t.Any]:
    """What the declared release needs, as a module result."""
    definition = {"release": params["release"], "image": params["image"], "definition": params["definition"]}
    image_id = host.image_id(params["image"])

    def runs_declared(colour: _release.Colour) -> bool:
        # A tag that points to another image than before is another release. An
        # image that is no longer on the host cannot be compared.
        same_image = image_id is None or colour.image_id == image_id
        return same_image and _release.is_sealed_by(colour.definition, definition, params["secrets"])

    decided = _release.decide(situation, params["release"], runs_declared)
    seal = situation.colours[decided.target].definition
    if decided.deploy:
        seal = _release.seal(definition, params["secrets"], secrets.token_hex(8))
    return {"target": decided.target, "deploy": decided.deploy, "switch": decided.switch, "due": decided.due,
            "reason": decided.reason, "seal": seal}


def main() -> None:
    module = AnsibleModule(
        argument_spec=ARGUMENT_SPEC, supports_check_mode=True, required_by={"release": ["image"]})
    with domain_errors(module):
        host = Host(module.params, module.run_command)
        host.store.wait_while_busy(module.params["wait_seconds"])
        situation = host.situation()
        result = describe(host, situation)
        if module.params["release"]:
            result.update(plan(host, situation, module.params))
            if not situation.agrees:
                # Somebody or a killed run left it so; a plain rollback is no news.
                module.warn(result["reason"])
    module.exit_json(changed=False, **result)


if __name__ == "__main__":
    main()
