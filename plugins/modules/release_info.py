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
extends_documentation_fragment:
  - mooring.stack.application
  - mooring.stack.application.platform
options:
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
  as_it_ran:
    description:
      - A label as RV(seal) says. The colour that has it is the one to run O(release), whatever O(definition) says
        today; that no colour has it is an error.
    type: str
    default: ""
  wait_seconds:
    description: How long to wait first while another run works on the same application.
    type: float
    default: 0
  stop_if_due:
    description:
      - Whether a call of M(mooring.stack.component) leaves out what follows this step, up to the next of its name, if
        there is anything to deploy or to switch, which takes the deployment lock. Otherwise those steps may name
        C(active), C(target) and C(seal) of this one's result as C(__release_info.target__) and so on.
    type: bool
    default: false
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
  description: Whether the proxy answers, and who gets the requests by its memory and by its file.
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
stop:
  description: Whether a call of M(mooring.stack.component) left out what follows; see O(stop_if_due).
  returned: when O(release) is given
  type: bool
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.mooring.stack.plugins.module_utils._errors import domain_errors
from ansible_collections.mooring.stack.plugins.module_utils._step_release_info import ARGUMENT_SPEC, RULES, converge


def main() -> None:
    """Parse, converge, report."""
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True, **RULES)
    with domain_errors(module):
        module.exit_json(**converge(module, module.params))


if __name__ == "__main__":
    main()
