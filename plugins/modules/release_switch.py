#!/usr/bin/python
# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: release_switch
short_description: Let a colour of an application serve, and prove that it does
version_added: "0.1.0"
author:
  - The mooring.stack authors (@mooring)
description:
  - The colour was started by M(mooring.stack.compose_project). This module runs the migration of its image once, asks
    the colour whether it is ready, switches the proxy to it, proves through the proxy that it answers, and records it.
  - The proxy is switched without a reload. The colour is written to the proxy's file first, then to its memory.
  - A release that never served before can be given a share of the requests first (O(canary)). While it is watched after
    the switch, the proxy asks the old colour where the new one cannot be asked.
  - If anything fails before the switch, the new colour's last log lines are shown, it is removed, and the old colour
    goes on serving. If anything fails after the switch, the proxy is switched back first.
  - Where the colour serves already and everything agrees, it is only proved to be ready, and nothing changes.
attributes:
  check_mode:
    description: Can run in check mode and return what a real run would do.
    support: full
  diff_mode:
    description: Will return details on what has changed or is to change.
    support: full
  idempotent:
    description: Running it twice changes nothing more than running it once.
    support: full
extends_documentation_fragment:
  - mooring.stack.application
  - mooring.stack.application.platform
options:
  colour:
    description: The colour that is to serve, as RV(mooring.stack.release_info#module:target) says.
    type: str
    choices: [blue, green]
    required: true
  active:
    description: The colour that served when this run decided; V("") for none.
    type: str
    default: ""
  release:
    description: The release that the colour runs.
    type: str
    required: true
  image:
    description: Full reference of the release's image.
    type: str
    required: true
  seal:
    description:
      - The label that the colour's container must carry, as RV(mooring.stack.release_info#module:seal) says.
        A container with another one was made by somebody else, and is not switched to.
    type: str
    required: true
  token:
    description: The token of the deployment lock. Needed when there is anything to change.
    type: str
  by:
    description: Who deploys. Recorded in the history.
    type: str
    default: unknown
  port:
    description: Port on which the application listens in its container.
    type: int
    default: 8080
  readiness:
    description: When the colour counts as ready.
    type: dict
    default: {}
    suboptions:
      path:
        description: Path that is asked, at the container's own address.
        type: str
        default: /readyz
      port:
        description: Port that is asked, if it is another one than O(port).
        type: int
      status:
        description: Status of a ready answer.
        type: int
        default: 200
      condition:
        description: JMESPath expression over the JSON answer that must be true as well.
        type: str
        default: ""
      successes:
        description: How many ready answers in a row are needed before a switch.
        type: int
        default: 3
      interval:
        description: Seconds between two questions.
        type: float
        default: 0.2
      timeout:
        description: Seconds after which the colour counts as not ready.
        type: float
        default: 60
      watch:
        description:
          - Seconds for which a colour that never served before is looked at after the switch, while the old one is
            still there. The switch is undone when its container ends, is restarted or turns unhealthy, or when it is
            not ready as often in a row as O(readiness.successes).
        type: float
        default: 10
  migrate:
    description:
      - Command, run once per image in a container of the new colour, before the new release is asked whether it is
        ready. The old release still serves then and must be able to live with what it does.
    type: list
    elements: str
    default: []
  migrate_timeout:
    description: Seconds after which the migration is ended and the deployment undone.
    type: int
    default: 300
  url:
    description: URL that must answer through the proxy after the switch. Empty asks the proxy's control socket only.
    type: str
    default: ""
  url_address:
    description: Address to which the question for O(url) goes, whatever its name resolves to. Empty resolves the name.
    type: str
    default: 127.0.0.1
  release_header:
    description: Header of the answer from O(url) that must be O(release). Empty compares nothing.
    type: str
    default: X-Release
  replicas:
    description:
      - How many containers the colour has. What its containers say (their label C(mooring.replicas)) counts where they
        are there.
    type: int
    choices: [1, 2, 3, 4, 5, 6, 7, 8, 9]
    default: 1
  canary:
    description:
      - Shares of the requests that a release which never served before gets, one after the other, before it gets all of
        them. It is taken back when it does worse than it may.
      - Errors are answers with status 500 and above, and requests that the proxy had to ask the other colour.
    type: dict
    default: {}
    suboptions:
      steps:
        description: Percent of new requests, from 1 to 99, each larger than the one before. Empty for no canary.
        type: list
        elements: int
        default: []
      hold:
        description: Seconds for which each step is held.
        type: float
        default: 60
      errors:
        description: Which part of the answers may be errors, from 0 to below 1.
        type: float
        default: 0.01
      latency:
        description: Seconds within which 95 % of the answers have to begin. Without one nothing is asked of that.
        type: float
      minimum:
        description: How many answers it takes to be judged. With fewer the step ends well, and a notice says so.
        type: int
        default: 20
      sticky:
        description: Whether a client keeps its colour, by a cookie, as long as the shares grow.
        type: bool
        default: false
  start:
    description:
      - Whether the colour is taken as it ran before, which is a rollback. Nothing before this module looked at it, so
        it is started if it was stopped; and it is kept when it fails.
    type: bool
    default: false
  keep_warm:
    description: Whether the old colour is kept running for a rollback, or stopped.
    type: bool
    default: true
  keep_images:
    description:
      - How many images of this application's last releases stay on the host for a rollback. Older ones that it was
        deployed from are removed after a deployment, unless a container uses them or a recipe on this host builds them.
    type: int
    default: 5
  drain_seconds:
    description: How long the old colour may finish its requests before it is stopped.
    type: int
    default: 30
  secrets:
    description: Values that are masked wherever a log line or an error shows them.
    type: dict
    default: {}
"""

EXAMPLES = r"""
- name: Let the new colour serve
  mooring.stack.release_switch:
    name: shop
    colour: "{{ shop_plan.target }}"
    active: "{{ shop_plan.active or '' }}"
    seal: "{{ shop_plan.seal }}"
    token: "{{ shop_lock.token }}"
    release: 1.4.2
    image: registry.example.com/shop:1.4.2
    readiness:
      path: /actuator/health/readiness
      port: 8081
      condition: "status == 'UP'"
    url: https://shop.example.com/
"""

RETURN = r"""
differences:
  description: Object, field, expected and found of everything that is not as declared and that a run heals.
  returned: success
  type: list
  elements: dict
  sample: [{object: application demo, field: colour in the proxy's memory, expected: blue, found: green}]
notices:
  description: What a person should look at and a run does not heal, one sentence each.
  returned: success
  type: list
  elements: str
colour:
  description: The colour that serves.
  returned: always
  type: str
  sample: green
previous:
  description: The colour that served before, if it was another one.
  returned: always
  type: str
steps:
  description: What was done, or would be done in check mode.
  returned: always
  type: dict
  sample:
    start: false
    migrate: false
    canary: true
    write_file: true
    tell_proxy: true
    stop_previous: false
    record: true
canary:
  description: Each share that the colour got, and how it answered. The latency is that of 95 % of the answers.
  returned: when it got one
  type: list
  elements: dict
  sample: [{percent: 10, seconds: 60.1, requests: 812, errors: 0, latency_p95: 0.0355}]
switch_ms:
  description: How long the switch itself took.
  returned: when something was switched
  type: float
  sample: 3.1
seconds:
  description: How long it took from the start of this module until the proxy was switched.
  returned: when something was switched
  type: float
  sample: 0.61
ready_ms:
  description: How long it took until the colour had answered often enough.
  returned: in a real run
  type: float
images_removed:
  description: Images of old releases that were removed.
  returned: when there were any
  type: list
  elements: str
drained_seconds:
  description: How long the old colour needed until nobody was connected to it.
  returned: when it was stopped
  type: float
logs:
  description: The last log lines of a colour that failed.
  returned: on failure
  type: str
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.mooring.stack.plugins.module_utils._errors import domain_errors
from ansible_collections.mooring.stack.plugins.module_utils._step_release_switch import ARGUMENT_SPEC, converge


def main() -> None:
    """Parse, converge, report."""
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    with domain_errors(module):
        module.exit_json(**converge(module, module.params))


if __name__ == "__main__":
    main()
